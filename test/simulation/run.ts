import { Cancels } from "./cancels.ts";
import { verdictOn } from "./oracle.ts";
import { troubles } from "./troubles.ts";
import { World } from "./world.ts";

/** What became of one seed. */
export interface Outcome {
  seed: number;
  /** What was broken, in one sentence; undefined when all was as it must be. */
  broken: string | undefined;
  /** Of everything that happened. */
  hash: string;
  /** The last that happened. */
  last: readonly string[];
  commands: number;
  /** Virtual time until all was settled, in milliseconds. */
  tookMs: number;
}

/** How long a world may take to settle when its troubles are over, in milliseconds: the longest pauses of a node are 5 minutes. */
const settleMs = 20 * 60_000;
const lookMs = 2_000;

/** Lets a world live through its troubles, waits until it is settled, and judges it. */
export async function runSeed(seed: number, onLine?: (line: string) => void): Promise<Outcome> {
  const world = new World(seed, onLine);
  const { time, chance, trace } = world;
  const strays: unknown[] = [];
  const stray = (thrown: unknown) => void strays.push(thrown);
  process.on("unhandledRejection", stray);
  try {
    world.begin();
    const activeMs = 20_000 + chance.below(100_000);
    for (let asks = 3 + chance.below(15); asks > 0; asks--) {
      time.after(chance.below(activeMs), () => world.operator.ask());
    }
    const calm = troubles(world, activeMs);
    await time.until(activeMs);
    trace.say("world", "no more troubles");
    calm();
    const end = time.now + settleMs;
    const watch = new Cancels(world);
    while (time.now < end && !world.isSettled) {
      await time.until(time.now + lookMs);
      watch.look();
    }
    const broken = verdictOn(world, strays);
    const { last } = trace;
    return {
      seed,
      broken,
      hash: trace.hash(),
      last,
      commands: world.operator.asked.length,
      tookMs: time.now,
    };
  } finally {
    world.end();
    process.off("unhandledRejection", stray);
  }
}
