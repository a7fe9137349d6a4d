import { evidence } from "../../base/evidence.ts";
import { failure, invalidField } from "../../base/failure.ts";

/** Who asks: somebody at a door of the node, or a task of an agent over its broker, with the groups that its manifest names. */
export type Who =
  | { is: "operator" }
  | { is: "agent"; name: string; taskId: string; memoryGroups: readonly string[] };

/** Names of groups are such as agents have, since each agent has one. */
const namePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** The group that is meant. @throws {Failure} invalid; denied: it is not one of the agent's. */
export function groupFor(who: Who, asked: string): string {
  if (who.is === "agent" && asked === "") return who.name;
  if (!namePattern.test(asked)) {
    const is = asked === "" ? "is required" : `${evidence(asked)} is no name of a group`;
    throw invalidField("group", `${is}: 1 to 63 lower-case letters, digits or '-', as an agent's name`);
  }
  if (mayUse(who, asked)) return asked;
  throw failure(
    "denied",
    `agent ${who.is === "agent" ? who.name : ""} may not use the memory group ${asked}: its manifest would have to name it in rights.memory_groups`,
  );
}

export function mayUse(who: Who, group: string): boolean {
  return who.is === "operator" || who.name === group || who.memoryGroups.includes(group);
}
