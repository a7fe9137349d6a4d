import { errorChain, failure } from "../../base/failure.ts";
import type { Cell, FoundCell } from "../sandbox/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import { conclude, unknownEnd } from "./conclude.ts";
import { enter, give } from "./hand-over.ts";
import { insist } from "./insist.ts";
import { makeCell } from "./make-cell.ts";
import { seeThrough } from "./see-through.ts";
import type { TaskRecord } from "./task.ts";
import { interrupted } from "./verdict.ts";

interface Attempt {
  callOff: AbortController;
  /** The cell that was claimed for it; in the ledger, too, as soon as it is running. */
  claimedId: string;
  done: Promise<void>;
}

/** Executes tasks, one attempt each at a time, until its signal lets go of them: what runs then, runs on. */
export class Attempts {
  readonly #tools: AttemptTools;
  readonly #running = new Map<string, Attempt>();

  constructor(tools: AttemptTools) {
    this.#tools = tools;
  }

  /** Tasks that have an attempt which is not put away. */
  get tasks(): ReadonlyMap<string, Pick<Attempt, "claimedId">> {
    return this.#running;
  }

  /** Ends the attempt of a task that is being cancelled. */
  callOff(taskId: string): void {
    this.#running.get(taskId)?.callOff.abort(failure("cancelled", "the task was cancelled"));
  }

  /** Resolves when none is left. */
  async idle(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  /** Begins an attempt: in the cell that was claimed for it, or in a new one. */
  begin(task: TaskRecord, claimed: Cell | undefined): void {
    const tools = this.#tools;
    this.#track(task.id, claimed?.id, async (callOff) => {
      const cell = claimed ?? (await makeCell(tools, task, callOff));
      if (!cell) return;
      if (!(await enter(tools, task.id, cell, claimed !== undefined))) {
        await insist(tools, "remove a container", () => tools.cells.remove(cell, tools.signal));
        return;
      }
      // A program that does not read is none the worse for it, and can be ended meanwhile.
      give(tools, task.id, cell).catch(() => {}); // The daemon stops: the next life finds out what became of it.
      await seeThrough(tools, task.id, cell, { callOff });
    });
  }

  /** Goes on with an attempt of a former life of the daemon. */
  takeUp(taskId: string, cell: FoundCell): void {
    const tools = this.#tools;
    this.#track(taskId, cell.id, async (callOff) => {
      await tools.adopt(cell).catch((error: unknown) => {
        tools.log.warn({ task: taskId, error }, "a program that goes on cannot reach its node");
      });
      await seeThrough(tools, taskId, cell, { callOff, hasEnded: !cell.isRunning });
    });
  }

  /** Concludes an attempt of a former life of which no cell is left. */
  abandon(taskId: string, what: string): void {
    const tools = this.#tools;
    this.#track(taskId, "", async () => {
      await conclude(tools, taskId, (task, spec) => interrupted(task, what, spec), unknownEnd);
      await insist(tools, "write a task", () => tools.ledger.note(taskId, { cellId: "", containerId: "" }));
    });
  }

  #track(taskId: string, claimedId = "", work: (callOff: AbortSignal) => Promise<void>): void {
    const callOff = new AbortController();
    const done = work(callOff.signal)
      .catch((error: unknown) => this.#fell(taskId, error))
      .catch(() => {}) // The daemon stops: the next life sees to it.
      .finally(() => {
        this.#running.delete(taskId);
        this.#tools.ledger.changes.notify();
      });
    this.#running.set(taskId, { callOff, claimedId, done });
  }

  /** What nobody expected ends the task, too: it must not stay as it is for ever. Its cell goes at the next look. */
  async #fell(taskId: string, error: unknown): Promise<void> {
    const { ledger, log, signal } = this.#tools;
    if (signal.aborted) return;
    log.error({ task: taskId, error }, "an attempt could not be seen through");
    if (!ledger.open.has(taskId)) return;
    const what = `the daemon could not see it through: ${errorChain(error)}`;
    await conclude(this.#tools, taskId, (task) => interrupted(task, what, undefined), unknownEnd);
  }
}
