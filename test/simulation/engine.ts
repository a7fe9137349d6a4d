import { Changes } from "../../src/base/changes.ts";
import { failure } from "../../src/base/failure.ts";
import type { Chance } from "../fixtures/chance.ts";
import type { Life } from "./life.ts";

/** One change that was made to a workload, and for which command. */
export interface Effect {
  workload: string;
  command: string;
}

/**
 * The container engine of a machine, which outlives the daemon. Each workload carries the label of the command that changed it
 * last, as containers do: by that, and only by that, a command that was begun before can be known.
 */
export class Engine {
  /** Everything that was ever done, in order. */
  readonly effects: Effect[] = [];
  /** Told of each effect. */
  readonly changes = new Changes();
  readonly #labels = new Map<string, string>();
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** How often each workload was changed. */
  count(workload: string): number {
    return this.effects.filter((effect) => effect.workload === workload).length;
  }

  /** One that has done what this one has, on a machine that is a copy. */
  copy(): Engine {
    const copy = new Engine(this.#chance);
    copy.effects.push(...this.effects);
    for (const [workload, label] of this.#labels) copy.#labels.set(workload, label);
    return copy;
  }

  /**
   * Changes a workload for a command; where its label says that it was, nothing is done. When the caller ends or gives up while
   * the request is under way, it was carried out at that moment, or never is.
   */
  change(effect: Effect, life: Life, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let isDone = false;
      const settle = (isCarriedOut: boolean) => {
        if (isDone) return;
        isDone = true;
        if (isCarriedOut) this.#carryOut(effect);
      };
      const giveUp = () => {
        settle(this.#chance.below(2) === 0);
        reject(signal.aborted ? signal.reason : failure("unavailable", "the daemon ended"));
      };
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener("abort", giveUp, { once: true });
      life.atEnd(giveUp);
      life.after(this.#chance.below(200), () => {
        settle(true);
        life.after(this.#chance.below(50), resolve);
      });
    });
  }

  #carryOut({ workload, command }: Effect): void {
    if (this.#labels.get(workload) === command) return;
    this.#labels.set(workload, command);
    this.effects.push({ workload, command });
    this.changes.notify();
  }
}
