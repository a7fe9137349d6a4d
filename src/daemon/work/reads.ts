import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import type { Caller } from "../../../gen/edge/v1/policy_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { deadlineIn } from "../../base/deadline.ts";
import { failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Ask } from "./ask.ts";
import { type Dispatch, failed, type Outcome, outcomeOf, resultOf } from "./carry-out.ts";
import type { Guard } from "./guard.ts";

/** Reads that may be answered at once. */
const limit = 64;
/** The budget of a read that names none, in milliseconds: a caller waits for it. */
const defaultMs = 30_000;

interface ReadsOptions {
  clock: Clock;
  log: Logger;
  dispatch: Dispatch;
  guard: Guard;
}

/** Commands without side effects: answered at once, a bounded number at a time, and nothing of them is kept. */
export class Reads {
  readonly #options: ReadsOptions;
  #count = 0;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  /** The answer, which is a failure when too many are asked for at once. The signal ends it. */
  async answer(command: Command, caller: Caller, signal: AbortSignal): Promise<Result> {
    const { clock } = this.#options;
    const startedAt = clock.elapsed();
    const late = () => failure("deadline", "the time for this ran out");
    using budget = deadlineIn(command.budgetMs || defaultMs, late, clock);
    const ask = {
      id: command.id,
      actor: command.actor,
      caller,
      signal: AbortSignal.any([signal, budget.signal]),
      progress: () => {},
    };
    const outcome =
      this.#count < limit
        ? await this.#counted(() => this.#judged(command, ask))
        : failed(failure("exhausted", `${limit} reads are being answered: ask again in a moment`));
    return resultOf(command, outcome, clock.elapsed() - startedAt, clock);
  }

  /** Of reads, what is denied is noted, and nothing else. */
  async #judged(command: Command, ask: Ask & { caller: Caller }): Promise<Outcome> {
    try {
      const { why, note } = this.#options.guard.judge(command, ask.caller);
      if (!why) return await outcomeOf(command, ask, this.#options);
      note();
      return failed(why);
    } catch (thrown) {
      return failed(thrown); // The disk does not take the note.
    }
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
