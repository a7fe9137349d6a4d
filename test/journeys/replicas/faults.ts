/** What goes wrong with the hubs of a cell and with what they stand on. Seed and round decide what, when, and for how long. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../../fixtures/chance.ts";
import type { Cell } from "./cell.ts";

export interface Fault {
  /** What goes wrong, in words. */
  name: string;
  /** What it happens to: two at once happen to different ones. */
  to: string;
  /** Lets it go wrong for so long, and is over when it is mended. */
  happen(forMs: number): Promise<void>;
}

/** Every kind of fault. */
export function faultsOf({ hubs, postgres, nats }: Cell): Fault[] {
  const engines = { PostgreSQL: postgres, NATS: nats };
  return [
    ...hubs.flatMap((hub, at): Fault[] => {
      const to = `hub ${"abc"[at]}`;
      return [
        away(
          to,
          "is killed",
          () => hub.program.kill9(),
          () => hub.start(),
        ),
        away(
          to,
          "is asked to end",
          () => hub.program.stop(),
          () => hub.start(),
        ),
        away(
          to,
          "stands still",
          () => hub.program.signal("SIGSTOP"),
          () => hub.program.signal("SIGCONT"),
        ),
      ];
    }),
    ...Object.entries(engines).flatMap(([to, engine]): Fault[] => [
      away(
        to,
        "is killed",
        () => engine.kill9(),
        () => engine.start(),
      ),
      away(
        to,
        "stands still",
        () => engine.freeze(true),
        () => engine.freeze(false),
      ),
    ]),
    away(
      "PostgreSQL",
      "is asked to end",
      () => postgres.stop(),
      () => postgres.start(),
    ),
    away(
      "hubs",
      "are killed at once",
      () => Promise.all(hubs.map(({ program }) => program.kill9())),
      () => Promise.all(hubs.map((hub) => hub.start())),
    ),
  ];
}

function away(to: string, what: string, begin: () => unknown, mend: () => unknown): Fault {
  return {
    ...{ to, name: `${to} ${what}` },
    async happen(forMs) {
      await begin();
      await sleep(forMs);
      await mend();
    },
  };
}

/** A fault that happens at a moment of a round. */
export interface Planned {
  fault: Fault;
  afterMs: number;
  forMs: number;
}

/** One to three faults of different things, which may overlap. */
export function anyFaults(faults: readonly Fault[], chance: Chance): Planned[] {
  const planned: Planned[] = [];
  for (let left = 1 + chance.below(3); left > 0; left--) {
    const fault = chance.oneOf(faults);
    const isHub = (one: Fault) => one.to.startsWith("hub");
    const isTaken = planned.some(
      ({ fault: other }) =>
        other.to === fault.to || (isHub(other) && isHub(fault) && [other.to, fault.to].includes("hubs")),
    );
    if (!isTaken) planned.push({ fault, afterMs: chance.below(1_500), forMs: 100 + chance.below(6_000) });
  }
  return planned;
}
