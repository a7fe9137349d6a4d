import type { FinishedTask, SpawnTaskRequest } from "../../../gen/edge/v1/broker_pb.ts";
import type { Task } from "../../../gen/edge/v1/tasks_pb.ts";

/** What an agent's program may do with tasks, through the node's broker. Who asks is a task, never a name that it says. */
export interface TreeTasks {
  /** The task that a cell was claimed by; undefined while it waits for one, and when it is not known. */
  taskOfCell(cellId: string): Task | undefined;
  /** The same, as soon as there is one. Rejects with the signal's reason. */
  claimed(cellId: string, signal: AbortSignal): Promise<Task>;
  /**
   * Executes an agent as a child. The same key again is the same child.
   * @throws {Failure} denied: rights, depth or total. not_found: the agent. exhausted: the queue is full. conflict: the parent is
   * being ended.
   */
  spawn(parentId: string, request: SpawnTaskRequest): Task;
  /**
   * Waits until all of these tasks below the parent are finished, or one of them; all of its children when none are named. The
   * parent's place is lent to others meanwhile. Rejects with the signal's reason when that comes first.
   * @throws {Failure} not_found: one is not below the parent.
   */
  wait(
    parentId: string,
    ids: readonly string[],
    how: { any: boolean },
    signal: AbortSignal,
  ): Promise<FinishedTask[]>;
  /** The same tasks as they are now. @throws {Failure} not_found. */
  children(parentId: string, ids: readonly string[]): FinishedTask[];
  /** Cancels a task below the parent, and waits for its end. @throws {Failure} not_found. */
  cancelBelow(parentId: string, id: string, signal: AbortSignal): Promise<Task>;
  /** Tasks of a tree that are not finished. */
  unfinishedOf(rootId: string): Task[];
  /** Calls `listener` with each task that comes into its final state, until the returned function is called. */
  onFinal(listener: (task: Task) => void): () => void;
}
