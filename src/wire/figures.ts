/** Figures of a program as Prometheus reads them: their names are the contract, docs/observability.md has them all. */

/** A value with what tells it apart from others of the same name. */
export interface Reading {
  labels?: Readonly<Record<string, string>>;
  value: number;
}

interface Named {
  /** As Prometheus' conventions want it: what it is of, base unit last, `_total` behind a counter. */
  name: string;
  help: string;
}

/** What is read at the moment when somebody asks. */
export interface Read extends Named {
  kind: "gauge" | "counter";
  /** Names of the labels; none when absent. */
  labels?: readonly string[];
  read(): Iterable<Reading> | Promise<Iterable<Reading>>;
}

/** How long things took, in seconds. */
export interface Durations extends Named {
  kind: "histogram";
  labels: readonly string[];
  /** Upper bounds, in seconds. */
  bounds: readonly number[];
  /** Calls `took` at each one, from now on. */
  follow(took: (seconds: number, labels: Readonly<Record<string, string>>) => void): void;
}

export type Figure = Read | Durations;

/** One value, read when asked. */
export function gauge(name: string, help: string, read: () => number): Read {
  return { kind: "gauge", name, help, read: () => [{ value: read() }] };
}

/** Counts by one label. Bounded by whoever calls: each value that was ever counted stays. */
export class Counts {
  readonly #label: string;
  readonly #counts = new Map<string, number>();

  /** `known`: those that are told as 0 before they were counted, so that a rate has a beginning. */
  constructor(label: string, known: readonly string[] = []) {
    this.#label = label;
    for (const value of known) this.#counts.set(value, 0);
  }

  add(value: string, count = 1): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + count);
  }

  /** As a figure. */
  figure(name: string, help: string): Read {
    const read = () => [...this.#counts].map(([of, value]) => ({ labels: { [this.#label]: of }, value }));
    return { kind: "counter", name, help, labels: [this.#label], read };
  }
}
