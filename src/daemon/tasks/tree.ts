import type { FinishedTask, SpawnTaskRequest } from "../../../gen/edge/v1/broker_pb.ts";
import type { Task } from "../../../gen/edge/v1/tasks_pb.ts";
import { failure } from "../../base/failure.ts";
import { newId } from "../../base/ids.ts";
import type { Attempts } from "./attempts.ts";
import type { TreeTasks } from "./broker-tasks.ts";
import { cancelTree } from "./cancel.ts";
import { isBelow, mustAllowChild, toldToParent } from "./family.ts";
import type { Ledger } from "./ledger.ts";
import { messageOf } from "./message.ts";
import { keepTask, mustHaveRoom, newTask } from "./new-task.ts";
import type { TasksOptions } from "./room.ts";
import type { Scheduler } from "./scheduler.ts";
import type { TaskRecord } from "./task.ts";
import { until, untilSettled } from "./waiting.ts";

interface TreeParts {
  ledger: Ledger;
  attempts: Attempts;
  scheduler: Scheduler;
  options: TasksOptions;
}

/** Parents and children. What is below a task ends with it. */
export class Tree implements TreeTasks {
  readonly #parts: TreeParts;

  constructor(parts: TreeParts) {
    this.#parts = parts;
    parts.ledger.onFinal((task) => this.#endChildren(task));
  }

  taskOfCell(cellId: string): Task | undefined {
    for (const task of this.#parts.ledger.open.values()) {
      if (task.cellId === cellId && task.state !== "starting") return messageOf(task);
    }
    return undefined;
  }

  async claimed(cellId: string, signal: AbortSignal): Promise<Task> {
    let task: Task | undefined;
    await until(this.#parts.ledger, signal, () => {
      task = this.taskOfCell(cellId);
      return task !== undefined;
    });
    if (!task) throw new Error("a cell was claimed by no task");
    return task;
  }

  spawn(parentId: string, request: SpawnTaskRequest): Task {
    const { ledger, options } = this.#parts;
    const { agents, clock } = options;
    const parent = ledger.open.get(parentId);
    if (parent?.state !== "running")
      throw failure("conflict", `task ${parentId} is ending, and gets no more children`);
    const known =
      request.key !== "" && ledger.store.children(parentId).find(({ spawnKey }) => spawnKey === request.key);
    if (known) return messageOf(ledger.get(known.id) ?? known);
    const specOf = ({ agent, version }: TaskRecord) => agents.version(agent, version)?.spec;
    mustAllowChild(ledger, specOf, { parent, request });
    const deployed = agents.current(request.agent);
    if (!deployed) throw failure("not_found", `there is no agent ${request.agent}`);
    mustHaveRoom(ledger, options, request.input.length);
    const origin = {
      id: newId("task"),
      cause: "parent",
      actor: `agent/${parent.agent}`,
      queuedAt: clock.now(),
    } as const;
    const asked = { ...request, after: [], wallTimeMs: 0, labels: [] };
    const task = newTask(deployed, asked, origin, { parent, spawnKey: request.key });
    return messageOf(keepTask(ledger, task, request.input));
  }

  async wait(
    parentId: string,
    ids: readonly string[],
    { any }: { any: boolean },
    signal: AbortSignal,
  ): Promise<FinishedTask[]> {
    const { ledger, scheduler } = this.#parts;
    const wanted = this.#below(parentId, ids).map(({ id }) => id);
    const isDone = (id: string) => !ledger.open.has(id);
    const isEnough = () => wanted.length === 0 || (any ? wanted.some(isDone) : wanted.every(isDone));
    await scheduler.lending(parentId, () => until(ledger, signal, isEnough));
    return this.children(parentId, wanted);
  }

  children(parentId: string, ids: readonly string[]): FinishedTask[] {
    return toldToParent(this.#parts.ledger.store, this.#below(parentId, ids));
  }

  async cancelBelow(parentId: string, id: string, signal: AbortSignal): Promise<Task> {
    const { ledger, attempts } = this.#parts;
    const [task] = this.#below(parentId, [id]);
    const ending = cancelTree(ledger, attempts, id, `it was cancelled by ${parentId}, which it is below`);
    await untilSettled(
      ledger,
      attempts,
      ending.map((one) => one.id),
      signal,
    );
    return messageOf(ledger.get(id) ?? (task as TaskRecord)); // One that is not below throws.
  }

  unfinishedOf(rootId: string): Task[] {
    return [...this.#parts.ledger.open.values()].filter((task) => task.rootId === rootId).map(messageOf);
  }

  onFinal(listener: (task: Task) => void): () => void {
    return this.#parts.ledger.onFinal((task) => listener(messageOf(task)));
  }

  /** These tasks below another, or all of its children. @throws {Failure} not_found. */
  #below(parentId: string, ids: readonly string[]): TaskRecord[] {
    const { ledger } = this.#parts;
    if (ids.length === 0) return ledger.store.children(parentId);
    return ids.map((id) => {
      const task = ledger.get(id);
      if (task && isBelow(ledger, parentId, task)) return task;
      throw failure("not_found", `there is no task ${id} below ${parentId}`);
    });
  }

  #endChildren({ id, state }: TaskRecord): void {
    const { ledger, attempts } = this.#parts;
    cancelTree(ledger, attempts, id, `its parent ${id} ended (${state})`);
  }
}
