import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Task, TaskCause, TaskPriority, TaskSchema, TaskState } from "../../../gen/edge/v1/tasks_pb.ts";
import type { Priority, TaskRecord } from "./task.ts";
import type { State } from "./transitions.ts";

const states = {
  queued: TaskState.QUEUED,
  starting: TaskState.STARTING,
  running: TaskState.RUNNING,
  stopping: TaskState.STOPPING,
  succeeded: TaskState.SUCCEEDED,
  failed: TaskState.FAILED,
  cancelled: TaskState.CANCELLED,
  timed_out: TaskState.TIMED_OUT,
} satisfies Record<State, TaskState>;

const urgencies = {
  low: TaskPriority.LOW,
  normal: TaskPriority.NORMAL,
  high: TaskPriority.HIGH,
  critical: TaskPriority.CRITICAL,
} satisfies Record<Priority, TaskPriority>;

const causes = {
  command: TaskCause.COMMAND,
  schedule: TaskCause.SCHEDULE,
  parent: TaskCause.PARENT,
} satisfies Record<TaskRecord["cause"], TaskCause>;

/** A state as the contract numbers it. */
export function stateNumber(state: State): TaskState {
  return states[state];
}

/** The states of these numbers. One that was never meant to be sent is none. */
export function statesOf(numbers: readonly TaskState[]): State[] {
  const all = Object.keys(states) as State[]; // Its keys.
  return all.filter((state) => numbers.includes(states[state]));
}

/** The priority of this number; what is not said is normal. */
export function priorityOf(number: TaskPriority): Priority {
  const all = Object.keys(urgencies) as Priority[]; // Its keys.
  return all.find((priority) => urgencies[priority] === number) ?? "normal";
}

/** A task as it is told. */
export function messageOf(task: TaskRecord): Task {
  const { queuedAt, startedAt, finishedAt, exitCode, nextAttemptAt } = task;
  const { id, agent, reason, actor, attempts, outOfMemory, warm, parentId, rootId, depth } = task;
  const isWaiting = task.state === "queued" && nextAttemptAt !== undefined;
  return create(TaskSchema, {
    ...{ id, agent, reason, actor, attempts, outOfMemory, warm, parentId, rootId, depth },
    ...{ inputBytes: task.inputBytes, outputBytes: task.outputBytes, outputCut: task.outputCut },
    ...{ agentVersion: task.version, containerId: task.containerId, after: [...task.after] },
    ...{ state: states[task.state], priority: urgencies[task.priority], cause: causes[task.cause] },
    labels: task.labels.map((label) => ({ ...label })),
    queuedAt: timestampFromMs(queuedAt),
    ...(startedAt !== undefined && { startedAt: timestampFromMs(startedAt) }),
    ...(finishedAt !== undefined && { finishedAt: timestampFromMs(finishedAt) }),
    ...(isWaiting && { nextAttemptAt: timestampFromMs(nextAttemptAt) }),
    ...(exitCode !== undefined && { exitCode }),
    usage: {
      cpuMs: BigInt(Math.round(task.cpuMs)),
      memoryPeakBytes: BigInt(Math.round(task.memoryPeakBytes)),
      runMs: BigInt(Math.round(task.runMs)),
      waitedMs: BigInt(Math.round(task.waitedMs)),
    },
  });
}
