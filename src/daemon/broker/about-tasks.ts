import { create } from "@bufbuild/protobuf";
import {
  type AcquireLockRequest,
  AcquireLockResponseSchema,
  type CancelChildRequest,
  CancelChildResponseSchema,
  type GetSelfRequest,
  GetSelfResponseSchema,
  type ReleaseLockRequest,
  ReleaseLockResponseSchema,
  type SpawnTaskRequest,
  SpawnTaskResponseSchema,
  type WaitTasksRequest,
  WaitTasksResponseSchema,
} from "../../../gen/edge/v1/broker_pb.ts";
import { type Asker, holderOf, type TaskAsker } from "./asker.ts";
import { checkAgent } from "./rights.ts";
import type { Room } from "./room.ts";

export function getSelf({ isDebug }: Room, _: GetSelfRequest, { cell, spec, task }: Asker) {
  return create(GetSelfResponseSchema, {
    ...{ agent: cell.agent, agentVersion: cell.version, debug: isDebug() },
    ...(task ? { task } : {}),
    ...(spec.rights ? { rights: spec.rights } : {}),
    credentials: spec.credentials.map(({ name }) => name),
    models: spec.llm?.aliases ?? [],
  });
}

export function spawnTask({ tasks }: Room, request: SpawnTaskRequest, asker: TaskAsker) {
  checkAgent(holderOf(asker), "spawn", request.agent);
  return create(SpawnTaskResponseSchema, { task: tasks.spawn(asker.task.id, request) });
}

export async function waitTasks(
  { tasks, clock }: Room,
  { ids, any, timeoutMs }: WaitTasksRequest,
  { task }: TaskAsker,
  signal: AbortSignal,
) {
  const over = new AbortController();
  const waits = AbortSignal.any([signal, over.signal]);
  const late = timeoutMs === 0 ? undefined : clock.sleep(timeoutMs, waits).then(() => over.abort());
  late?.catch(() => {}); // The waiting is over first.
  try {
    return create(WaitTasksResponseSchema, { tasks: await tasks.wait(task.id, ids, { any }, waits) });
  } catch (thrown) {
    if (!over.signal.aborted || signal.aborted) throw thrown;
    return create(WaitTasksResponseSchema, { tasks: tasks.children(task.id, ids), timedOut: true });
  } finally {
    over.abort();
  }
}

export async function cancelChild(
  { tasks }: Room,
  { id }: CancelChildRequest,
  { task }: TaskAsker,
  signal: AbortSignal,
) {
  return create(CancelChildResponseSchema, { task: await tasks.cancelBelow(task.id, id, signal) });
}

export async function acquireLock(
  { locks }: Room,
  { name, leaseMs, waitMs }: AcquireLockRequest,
  { task }: TaskAsker,
  signal: AbortSignal,
) {
  const ask = { rootId: task.rootId, taskId: task.id, name, leaseMs, waitMs };
  return create(AcquireLockResponseSchema, { fence: BigInt(await locks.acquire(ask, signal)) });
}

export function releaseLock({ locks }: Room, { name }: ReleaseLockRequest, { task }: TaskAsker) {
  locks.release(task.rootId, name, task.id);
  return create(ReleaseLockResponseSchema);
}
