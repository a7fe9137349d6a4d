import type { LlmAllowance } from "../../../gen/edge/v1/agents_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import type { Usage, User } from "./llm-usage.ts";

/** What a request holds of its budgets while it is under way. */
export interface Held extends Disposable {
  /** It uses so many tokens by now. @throws {Failure} exhausted: no budget holds that. */
  grow(tokens: number): void;
}

/** Tokens of so many bytes, when nobody counted: four bytes each. */
export function estimate(bytes: number): number {
  return Math.ceil(bytes / 4);
}

/**
 * Budgets of agents and tasks. What requests under way will use at least is held for them, so that many at once do not use together
 * what each of them alone would have been refused.
 */
export class Budgets {
  readonly #usage: Pick<Usage, "used">;
  readonly #held = new Map<string, number>();

  constructor(usage: Pick<Usage, "used">) {
    this.#usage = usage;
  }

  /** Holds what a request will use at least, until it is disposed of. @throws {Failure} exhausted: the budget does not hold it. */
  hold(user: User, allowance: LlmAllowance | undefined, atLeast: number): Held {
    const { agent, taskId } = user;
    const day = { key: `day ${agent}`, limit: Number(allowance?.tokensPerDay ?? 0n) };
    const task = { key: `task ${taskId}`, limit: taskId === "" ? 0 : Number(allowance?.tokensPerTask ?? 0n) };
    let own = 0;
    const change = (to: number) => {
      for (const { key } of [day, task]) {
        const next = (this.#held.get(key) ?? 0) + to - own;
        if (next > 0) this.#held.set(key, next);
        else this.#held.delete(key);
      }
      own = to;
    };
    const grow = (tokens: number) => {
      change(tokens);
      const used = this.#usage.used(user);
      const isOver = ({ key, limit }: typeof day, before: number) =>
        limit > 0 && before + (this.#held.get(key) ?? 0) > limit;
      if (isOver(task, used.task)) throw spent(`task ${taskId}`, "tokens_per_task", task.limit, used.task);
      if (isOver(day, used.day))
        throw spent(`agent ${agent} on this day`, "tokens_per_day", day.limit, used.day);
    };
    try {
      grow(atLeast);
    } catch (thrown) {
      change(0);
      throw thrown;
    }
    return { grow, [Symbol.dispose]: () => change(0) };
  }
}

function spent(whose: string, field: string, limit: number, used: number): Failure {
  const sentence = `the budget of ${whose} does not hold this: ${used} of ${limit} tokens are used (llm.${field} of its manifest)`;
  return failure("exhausted", sentence, { word: "budget_exhausted" });
}
