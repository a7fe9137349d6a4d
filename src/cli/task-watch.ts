import { create } from "@bufbuild/protobuf";
import { type Task, TaskSchema, TaskState } from "../../gen/edge/v1/tasks_pb.ts";
import { failure } from "../base/failure.ts";
import type { Door } from "./door.ts";
import { isLoss } from "./patience.ts";
import type { Run } from "./run.ts";
import type { Target } from "./target.ts";

/** Between two looks, in milliseconds: a short task is told at once, and a long one costs little. */
const pausesMs = { first: 25, most: 1000 };
/** How long a node that cannot be asked is waited for, in milliseconds. */
const patienceMs = 60_000;

const final: ReadonlySet<TaskState> = new Set([
  ...[TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.TIMED_OUT],
]);

/** Whether a task is in a state that it never leaves. */
export function isFinal({ state }: Pick<Task, "state">): boolean {
  return final.has(state);
}

/** A task to look at. */
export interface Watched {
  id: string;
  /** Whether its node has answered already. One that never did is told at once, and not waited for. */
  wasThere: boolean;
}

/**
 * Looks at a task until it is finished, also over a restart of its daemon; `seen` gets every picture of it, the last one included.
 * Ctrl-C and `--timeout` end the looking, never the task. @throws {Failure} deadline, cancelled, unavailable: each says how to go on.
 */
export async function watchTask(
  { clock, signal, flags }: Run,
  door: Door,
  target: Target,
  { id, wasThere }: Watched,
  seen: (task: Task) => Promise<void> | void,
): Promise<Task> {
  const begunAt = clock.elapsed();
  const again = `the task goes on: look with \`orchestrator task get ${id}\``;
  let lostAt: number | undefined;
  let hasAnswered = wasThere;
  for (let pauseMs = pausesMs.first; ; pauseMs = Math.min(2 * pauseMs, pausesMs.most)) {
    try {
      const { task = create(TaskSchema) } = await door.ask("getTask", asked(id), { nodeId: target?.id });
      lostAt = undefined;
      hasAnswered = true;
      await seen(task);
      if (isFinal(task)) return task;
    } catch (thrown) {
      if (!signal.aborted && !(hasAnswered && isLoss(thrown))) throw thrown;
      lostAt ??= clock.elapsed();
      if (!signal.aborted && clock.elapsed() - lostAt > patienceMs) {
        throw failure("unavailable", `the node cannot be asked any more; ${again}`, { cause: thrown });
      }
    }
    if (flags.timeout !== undefined && clock.elapsed() - begunAt > flags.timeout) {
      throw failure("deadline", `it did not end within the time of --timeout; ${again}`);
    }
    await clock.sleep(pauseMs, signal).catch(() => {});
    if (signal.aborted) throw failure("cancelled", `not waiting any longer; ${again}`);
  }
}

/** The request for one task, without its output. */
export function asked(id: string) {
  return { id, withOutput: false, outputOffset: 0 };
}

/** All that a task answered, however many answers that takes. */
export async function outputOf(
  door: Door,
  target: Target,
  { id, outputBytes }: Pick<Task, "id" | "outputBytes">,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < outputBytes) {
    const request = { id, withOutput: true, outputOffset: length };
    const { output } = await door.ask("getTask", request, { nodeId: target?.id });
    if (output.length === 0) break;
    parts.push(output);
    length += output.length;
  }
  return Buffer.concat(parts);
}
