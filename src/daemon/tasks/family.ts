import { create } from "@bufbuild/protobuf";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import {
  type FinishedTask,
  FinishedTaskSchema,
  type SpawnTaskRequest,
} from "../../../gen/edge/v1/broker_pb.ts";
import { failure } from "../../base/failure.ts";
import type { Ledger } from "./ledger.ts";
import { messageOf, priorityOf } from "./message.ts";
import { priorities, type TaskRecord } from "./task.ts";
import { isFinal } from "./transitions.ts";

/** The contract's limits of a manifest that does not say. */
const usual = { depth: 3, total: 16 };
/** All outputs of one answer together, in bytes: a frame holds them. */
const answerBytes = 768 << 10;

/** Whether a task may have another child, by its agent's rights and by those of all above it. @throws {Failure} denied. */
export function mustAllowChild(
  ledger: Ledger,
  specOf: (task: TaskRecord) => AgentSpec | undefined,
  { parent, request }: { parent: TaskRecord; request: SpawnTaskRequest },
): void {
  if (!specOf(parent)?.rights?.spawn.includes(request.agent)) {
    throw failure(
      "denied",
      `agent ${parent.agent} may not execute ${request.agent}: rights.spawn of its manifest does not name it`,
    );
  }
  if (priorities.indexOf(priorityOf(request.priority)) > priorities.indexOf(parent.priority)) {
    throw failure("denied", `a child is not more urgent than its parent, which is ${parent.priority}`);
  }
  for (let above: TaskRecord | undefined = parent; above; above = ledger.get(above.parentId)) {
    const rights = specOf(above)?.rights;
    const depth = rights?.spawnDepth || usual.depth;
    const total = rights?.spawnTotal || usual.total;
    if (parent.depth + 1 - above.depth > depth) {
      throw failure(
        "denied",
        `below task ${above.id} tasks may be ${depth} deep: rights.spawn_depth of ${above.agent} says so`,
      );
    }
    if (ledger.store.countBelow(above.id) >= total) {
      throw failure(
        "denied",
        `below task ${above.id} there may be ${total} tasks: rights.spawn_total of ${above.agent} says so`,
      );
    }
  }
}

/** Whether one task is below another. */
export function isBelow(ledger: Ledger, aboveId: string, task: TaskRecord): boolean {
  for (let one: TaskRecord | undefined = task; one && one.parentId !== ""; one = ledger.get(one.parentId)) {
    if (one.parentId === aboveId) return true;
  }
  return false;
}

/** All that are not finished below a task, parents first, so that none of them has another child while they end. */
export function unfinishedBelow(open: ReadonlyMap<string, TaskRecord>, id: string): TaskRecord[] {
  const below: TaskRecord[] = [];
  for (let at = 0, ids = [id]; at < ids.length; at++) {
    for (const task of open.values()) {
      if (task.parentId !== ids[at]) continue;
      below.push(task);
      ids.push(task.id);
    }
  }
  return below;
}

/** Tasks as their parent gets them, with what they answered as far as it fits. */
export function toldToParent(store: Ledger["store"], tasks: readonly TaskRecord[]): FinishedTask[] {
  let restBytes = answerBytes;
  return tasks.map((task) => {
    const output = isFinal(task.state)
      ? store.blob(task.id, "output").subarray(0, restBytes)
      : new Uint8Array();
    restBytes -= output.length;
    return create(FinishedTaskSchema, { task: messageOf(task), output });
  });
}
