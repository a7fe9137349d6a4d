import { Facts } from "../../base/facts.ts";

/** A command's result is on the hub's disk, so long after it was queued. */
export interface CommandFact {
  seconds: number;
  isFailure: boolean;
}

export const commandFacts = new Facts<CommandFact>();
