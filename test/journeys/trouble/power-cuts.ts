/**
 * Power cuts: daemon, engine and all containers are killed at once, in the middle of commands, and started again. The hub is
 * elsewhere, and dies with them only now and then. Seed and round decide what is asked and when the power goes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { chanceOfRound } from "../../fixtures/chance.ts";
import { type Asked, asksOf, assertUntouched, type Ground, settled, submit } from "./ground.ts";

/** The slowest commands take about as long; later the power goes when all is done. */
const [spreadMs, updateMs] = [900, 2000];
/** Generous: how long it took is told. */
const convergeMs = 60_000;
/** In one round in so many, the hub dies, too. */
const hubDiesIn = 5;

/** One round, as it is told. */
export interface Round {
  number: number;
  asked: readonly Asked[];
  cutAfterMs: number;
  withHub: boolean;
  /** Since engine and daemon both answered. */
  convergedMs: number;
  /** Since they were started. */
  sincePowerOnMs: number;
}

/** Asks for something of each runtime, cuts the power, and waits until the world is as it must be. */
export async function powerCut(ground: Ground): Promise<Round> {
  const { world, engine, seed } = ground;
  const number = ++ground.rounds;
  const chance = chanceOfRound(seed, number);
  const asked = asksOf(ground, number, chance);
  const withHub = chance.below(hubDiesIn) === 0;
  const isLong = asked.some(({ kind }) => kind.startsWith("update"));
  const cutAfterMs = chance.below(isLong ? updateMs : spreadMs);
  const round = { number, asked, cutAfterMs, withHub };
  try {
    await assertUntouched(ground);
    for (const one of asked) await submit(ground, one);
    await sleep(cutAfterMs);
    await Promise.all([world.daemon.kill9(), withHub && world.hub.kill9(), engine.cutPower()]);
    const powerOn = performance.now();
    await Promise.all([engine.start(), world.startDaemon(), withHub && world.startHub()]);
    const answering = performance.now();
    const ids = asked.map(({ id }) => id);
    const converged = await settled(ground, ids, convergeMs);
    return { ...round, convergedMs: converged - answering, sincePowerOnMs: converged - powerOn };
  } catch (cause) {
    const log = world.daemon.output().slice(-6000);
    throw new Error(`with seed ${seed}, ${inWords(round)}\nthe daemon said:\n${log}`, { cause });
  }
}

/** What was asked, and when the power went. */
export function inWords({
  number,
  asked,
  cutAfterMs,
  withHub,
}: Omit<Round, "convergedMs" | "sincePowerOnMs">) {
  const what = asked.map(({ kind, name }) => `${kind} ${name}`).join(", ");
  return `round ${number}: ${what}; cut after ${cutAfterMs} ms${withHub ? ", with the hub" : ""}`;
}
