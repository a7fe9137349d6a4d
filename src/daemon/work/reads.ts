import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { type Dispatch, failed, outcomeOf, resultOf } from "./carry-out.ts";

/** Reads that may be answered at once. */
const limit = 64;
/** The budget of a read that names none, in milliseconds: a caller waits for it. */
const defaultMs = 30_000;

/** Commands without side effects: answered at once, a bounded number at a time, and nothing of them is kept. */
export class Reads {
  readonly #options: { clock: Clock; log: Logger; dispatch: Dispatch };
  #count = 0;

  constructor(options: { clock: Clock; log: Logger; dispatch: Dispatch }) {
    this.#options = options;
  }

  /** The answer, which is a failure when too many are asked for at once. The signal ends it. */
  async answer(command: Command, signal: AbortSignal): Promise<Result> {
    const { clock } = this.#options;
    const startedAt = clock.elapsed();
    const budget = AbortSignal.timeout(command.budgetMs || defaultMs);
    const ask = {
      id: command.id,
      actor: command.actor,
      signal: AbortSignal.any([signal, budget]),
      progress: () => {},
    };
    const outcome =
      this.#count < limit
        ? await this.#counted(() => outcomeOf(command, ask, this.#options))
        : failed(failure("exhausted", `${limit} reads are being answered: ask again in a moment`));
    return resultOf(command, outcome, clock.elapsed() - startedAt, clock);
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#count++;
    try {
      return await work();
    } finally {
      this.#count--;
    }
  }
}
