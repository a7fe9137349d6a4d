import { create } from "@bufbuild/protobuf";
import { type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { type Caller, CallerSchema, Door } from "../../../gen/edge/v1/policy_pb.ts";
import type { Task } from "../../../gen/edge/v1/tasks_pb.ts";
import type { CellIdentity } from "../sandbox/index.ts";
import type { TreeTasks } from "../tasks/index.ts";
import type { CellLimits } from "./limits.ts";

/** Who asks: all of it is known by the socket, and by what the node itself keeps. */
export interface Asker {
  cell: CellIdentity;
  /** The manifest that the cell was made from. */
  spec: AgentSpec;
  limits: CellLimits;
  /** Undefined while it waits for one. */
  task: Task | undefined;
}

/** A cell that has its task. */
export type TaskAsker = Asker & { task: Task };

const askerKey = createContextKey<Asker | undefined>(undefined, { description: "the cell that asks" });

/** What a call knows of who asks. */
export function askedBy(asker: Asker): ContextValues {
  return createContextValues().set(askerKey, asker);
}

/** Who asks. */
export function askerOf({ values }: { values: ContextValues }): Asker {
  const asker = values.get(askerKey);
  if (!asker) throw new Error("a call came through no socket of a cell");
  return asker;
}

/** Who asks, with the task: of a program that is sooner than its task, what it asks waits with it. */
export async function withTask(
  { tasks }: { tasks: Pick<TreeTasks, "claimed"> },
  asker: Asker,
  signal: AbortSignal,
): Promise<TaskAsker> {
  return { ...asker, task: asker.task ?? (await tasks.claimed(asker.cell.id, signal)) };
}

/** Who asks, as an agent is known on topics and to people. */
export function actorOf({ cell }: Pick<Asker, "cell">): string {
  return `agent/${cell.agent}`;
}

/** Who asks, for policy. */
export function callerOf({ cell, task }: Asker): Caller {
  const { agent } = cell;
  return create(CallerSchema, { door: Door.BROKER, actor: `agent/${agent}`, agent, taskId: task?.id ?? "" });
}

/** Whose rights count. */
export function holderOf({ cell, spec }: Asker) {
  return { agent: cell.agent, rights: spec.rights };
}
