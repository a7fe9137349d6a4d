import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Memory } from "../memory/index.ts";
import type { Policy } from "../policy/index.ts";
import type { Sessions } from "../sessions/index.ts";
import type { TreeTasks } from "../tasks/index.ts";
import type { Topics } from "../topics/index.ts";
import type { Calls } from "./calls.ts";
import type { Incidents } from "./incidents.ts";
import type { Locks } from "./locks.ts";

/** Manifests that were deployed on this node. */
export interface Manifests {
  /** The manifest of a version; undefined when it is not kept any more. */
  specOf(agent: string, version: number): AgentSpec | undefined;
  /** Whether there is such an agent. */
  has(agent: string): boolean;
}

/** What the broker's methods reach. */
export interface Room {
  clock: Clock;
  topics: Topics;
  tasks: TreeTasks;
  agents: Manifests;
  sessions: Pick<Sessions, "create" | "get" | "list" | "append" | "close" | "delete">;
  memory: Pick<Memory, "store" | "search" | "forget" | "groups">;
  policy: Pick<Policy, "judge" | "note">;
  calls: Calls;
  locks: Locks;
  incidents: Incidents;
  /** Whether the node's log level is `debug`. */
  isDebug: () => boolean;
}
