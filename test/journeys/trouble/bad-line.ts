/** Commands over a bad line: whatever happens to it, each is carried out once and nothing is restarted without need. */
import { chanceOf, chanceOfRound } from "../../fixtures/chance.ts";
import { type Asked, asksOf, assertUntouched, type Ground, settled, submit } from "./ground.ts";
import { anyFault, flapsOf, lineFaultsOf } from "./line-faults.ts";

/** A node that could not connect for a while waits for up to a minute before it tries again, and then there is all to do. */
const convergeMs = 150_000;
/** Faults in one round, at most. */
const mostFaults = 3;

/** One round, as it is told. */
export interface BadRound {
  number: number;
  asked: readonly Asked[];
  faults: readonly { name: string; forMs: number }[];
  /** Since the last fault was mended. */
  convergedMs: number;
}

/** Asks for something of each runtime, lets the line have some faults, and waits until the world is as it must be. */
export async function badLine(ground: Ground): Promise<BadRound> {
  const number = ++ground.rounds;
  const chance = chanceOfRound(ground.seed, number);
  const asked = asksOf(ground, number, chance);
  const all = lineFaultsOf(ground.world);
  const chosen = Array.from({ length: 1 + chance.below(mostFaults) }, () => anyFault(all, chance));
  const faults = chosen.map(({ fault, forMs }) => ({ name: fault.name, forMs }));
  const round = { number, asked, faults };
  try {
    await assertUntouched(ground);
    for (const one of asked) await submit(ground, one);
    for (const { fault, forMs } of chosen) await fault.happen(forMs);
    const mendedAt = performance.now();
    const ids = asked.map(({ id }) => id);
    return { ...round, convergedMs: (await settled(ground, ids, convergeMs)) - mendedAt };
  } catch (cause) {
    const { hub, daemon } = ground.world;
    const said = `the daemon said:\n${daemon.output().slice(-4000)}\nthe hub said:\n${hub.output().slice(-4000)}`;
    throw new Error(`with seed ${ground.seed}, ${badRoundInWords(round)}\n${said}`, { cause });
  }
}

/** What was asked, and what went wrong with the line. */
export function badRoundInWords({ number, asked, faults }: Omit<BadRound, "convergedMs">): string {
  const what = asked.map(({ kind, name }) => `${kind} ${name}`).join(", ");
  const wrong = faults.map(({ name, forMs }) => `${name} (${forMs} ms)`).join("; ");
  return `round ${number}: ${what}: ${wrong}`;
}

/** Lets the line flap so many times, a moment each. */
export async function flaps(ground: Ground, times: number, tell: (done: number) => void): Promise<void> {
  const chance = chanceOf(ground.seed);
  const faults = flapsOf(ground.world);
  for (let done = 1; done <= times; done++) {
    await chance.oneOf(faults).happen(20 + chance.below(400));
    tell(done);
  }
}
