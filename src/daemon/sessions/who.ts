import { failure } from "../../base/failure.ts";
import type { Kept } from "./store.ts";

/** Who asks: somebody at a door of the node, or a task of an agent over its broker. */
export type Who = { is: "operator"; actor: string } | { is: "agent"; name: string; taskId: string };

/** The agent that a new session is with. @throws {Failure} invalid, denied. */
export function agentFor(who: Who, asked: string): string {
  if (who.is === "operator") {
    if (asked !== "") return asked;
    throw failure("invalid", "agent: is required: `orchestrator agent list` shows which there are");
  }
  if (asked === "" || asked === who.name) return who.name;
  throw failure("denied", `agent ${who.name} has sessions of its own only, and none with ${asked}`);
}

/** Whether a session is one of those that the asker sees. */
export function sees(who: Who, { agent }: Pick<Kept, "agent">): boolean {
  return who.is === "operator" || who.name === agent;
}

/** Whose a session is when nobody says. */
export function ownerFor(who: Who): string {
  return who.is === "operator" ? who.actor : `agent/${who.name}`;
}
