import type { Settings, SettingValues } from "../../base/settings.ts";
import { planReload, type Reload } from "./plan.ts";

/** Settings of which some may change while the program runs. */
export class LiveSettings<D extends Settings> {
  /** What is in force: a room that reads a value from here when it needs it has the newest. */
  readonly config: SettingValues<D>;
  readonly #now: Record<string, unknown>;
  readonly #live: readonly string[];
  readonly #listeners: (() => void)[] = [];

  /** @param live keys that may change; `*` at the end means all that begin so. */
  constructor(values: SettingValues<D>, live: readonly string[]) {
    this.#now = { ...values };
    this.#live = live;
    const view = Object.keys(values).map(
      (key) => [key, { enumerable: true, get: () => this.#now[key] }] as const,
    );
    // It has the same keys, and the values of the same definitions.
    this.config = Object.defineProperties({}, Object.fromEntries(view)) as SettingValues<D>;
  }

  /** Calls a function each time values have changed: for rooms that keep a copy. */
  whenChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Takes what may change, and leaves the rest as it is. @returns what came of it. */
  take(next: SettingValues<D>): Reload {
    const values: Readonly<Record<string, unknown>> = next;
    const plan = planReload(this.#now, values, this.#live);
    for (const key of plan.changed) this.#now[key] = values[key];
    if (plan.changed.length > 0) for (const listener of this.#listeners) listener();
    return plan;
  }
}
