import type { ExecuteTaskRequest } from "../../../gen/edge/v1/tasks_pb.ts";
import { failure, invalidField } from "../../base/failure.ts";
import type { Deployed } from "../agents/index.ts";
import { type Ledger, reasonToWait } from "./ledger.ts";
import { priorityOf } from "./message.ts";
import type { Kept } from "./store.ts";
import type { TaskRecord } from "./task.ts";

/** Bounds of the queue. */
export interface QueueLimits {
  /** `tasks.queue_limit`. */
  queueLimit: number;
  kept: Kept;
}

/** The contract's limits of a manifest that does not say. */
const usual = { ioBytes: 1 << 20, wallTimeMs: 300_000 };

type Asked = Pick<ExecuteTaskRequest, "input" | "priority" | "after" | "wallTimeMs" | "labels">;
type Origin = Pick<TaskRecord, "id" | "cause" | "actor" | "queuedAt">;

/** A task as it is kept first. @throws {Failure} invalid, not_found. */
export function newTask(
  { name, version, spec }: Deployed,
  { input, priority, after, wallTimeMs, labels }: Asked,
  origin: Origin,
  parent?: { parent: TaskRecord; spawnKey: string },
): Omit<TaskRecord, "number"> {
  const most = spec.maxIoBytes || usual.ioBytes;
  if (input.length > most) {
    throw invalidField("input", `is ${input.length} bytes long; agent ${name} takes ${most} (max_io_bytes)`);
  }
  const allowedMs = spec.resources?.wallTimeMs || usual.wallTimeMs;
  if (wallTimeMs > allowedMs) {
    throw invalidField(
      "wall_time_ms",
      `is ${wallTimeMs}; agent ${name} may take ${allowedMs} (resources.wall_time_ms)`,
    );
  }
  return {
    ...origin,
    ...{ agent: name, version, state: "queued", reason: reasonToWait(after), priority: priorityOf(priority) },
    labels: labels.map(({ key, value }) => ({ key, value })),
    ...{ wallTimeMs: wallTimeMs || allowedMs, inputBytes: input.length },
    ...{ parentId: parent?.parent.id ?? "", rootId: parent?.parent.rootId ?? origin.id },
    ...{ depth: parent ? parent.parent.depth + 1 : 0, spawnKey: parent?.spawnKey ?? "" },
    ...{ after: [...after], waitsFor: [...after] },
    ...{ attempts: 0, outOfMemory: false, warm: false, cpuMs: 0, memoryPeakBytes: 0, runMs: 0, waitedMs: 0 },
    ...{ outputBytes: 0, outputCut: false, cellId: "", containerId: "", given: false },
  };
}

/** @throws {Failure} exhausted: so many wait, or what they are given is so much. */
export function mustHaveRoom(
  { open }: Pick<Ledger, "open">,
  { queueLimit, kept }: QueueLimits,
  inputBytes: number,
): void {
  const queued = [...open.values()].filter(({ state }) => state === "queued");
  if (queued.length >= queueLimit) {
    throw failure(
      "exhausted",
      `${queueLimit} tasks wait on this node (tasks.queue_limit): try again when some are done`,
    );
  }
  const bytes = queued.reduce((sum, task) => sum + task.inputBytes, inputBytes);
  if (bytes > kept.bytes) {
    throw failure(
      "exhausted",
      `what waiting tasks are given would be ${bytes} bytes, and ${kept.bytes} are kept (tasks.kept_size): try again when some are done`,
    );
  }
}

/** Keeps a task, and what is known of those that it comes after. @throws {Failure} not_found: one of them. */
export function keepTask(ledger: Ledger, task: Omit<TaskRecord, "number">, input: Uint8Array): TaskRecord {
  const before = task.after.map((id) => {
    const one = ledger.get(id);
    if (!one) throw failure("not_found", `after: there is no task ${id}`);
    return one;
  });
  const waitsFor = before.filter(({ id }) => ledger.open.has(id)).map(({ id }) => id);
  const failed = before.find(({ id, state }) => !ledger.open.has(id) && state !== "succeeded");
  const kept = ledger.add({ ...task, waitsFor, reason: reasonToWait(waitsFor) }, input);
  if (!failed) return kept;
  return ledger.advance(kept.id, "failed", `it was to come after ${failed.id}, which did not succeed`);
}
