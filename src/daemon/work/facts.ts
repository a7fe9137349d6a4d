import { Facts } from "../../base/facts.ts";

/** A command has its result. */
export interface WorkFact {
  /** What it asked for, as in `restart_runtime`. */
  ask: string;
  isFailure: boolean;
  seconds: number;
}

export const workFacts = new Facts<WorkFact>();
