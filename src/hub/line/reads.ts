import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";

/** Reads of one node that wait for their answers; the node takes as many at once. */
const limit = 64;

/** The budget of a read that names none, in milliseconds: somebody waits for it. */
const defaultBudgetMs = 30_000;

/** What an answer may take over the budget of its command: the way there and back, in milliseconds. */
const wayMs = 5_000;

interface Waiting {
  settle: (outcome: { result: Result } | { thrown: unknown }) => void;
  /** Elapsed milliseconds. */
  dueAt: number;
}

/** Questions to one node that are not answered yet. In memory only: see docs/decisions/0004. */
export class Reads {
  readonly #waiting = new Map<string, Waiting>();

  /**
   * Waits for the answer to a read that is about to be sent at `now` (elapsed milliseconds).
   * @throws {Failure} exhausted, conflict: the id is in use; else what `fail` or `expire` say, or the signal's reason.
   */
  answerTo({ id, budgetMs }: Command, now: number, signal: AbortSignal): Promise<Result> {
    if (this.#waiting.size >= limit) {
      return Promise.reject(
        failure("exhausted", `${limit} reads of this node wait already: try again in a moment`),
      );
    }
    if (this.#waiting.has(id)) {
      return Promise.reject(failure("conflict", `a read with the id ${id} waits already: choose a new id`));
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => settle({ thrown: signal.reason });
      const settle: Waiting["settle"] = (outcome) => {
        if (!this.#waiting.delete(id)) return;
        signal.removeEventListener("abort", onAbort);
        if ("result" in outcome) resolve(outcome.result);
        else reject(outcome.thrown);
      };
      this.#waiting.set(id, { settle, dueAt: now + (budgetMs || defaultBudgetMs) + wayMs });
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** An answer came. One that nobody waits for any more is dropped. */
  answer(result: Result): void {
    this.#waiting.get(result.commandId)?.settle({ result });
  }

  /** Ends the reads whose time is over at `now`. */
  expire(now: number): void {
    for (const { dueAt, settle } of this.#waiting.values()) {
      if (dueAt <= now) settle({ thrown: failure("deadline", "the node did not answer in time") });
    }
  }

  /** Ends all reads with a failure. */
  fail(why: Failure): void {
    for (const { settle } of this.#waiting.values()) settle({ thrown: why });
  }
}
