/**
 * Power cuts: daemon, engine and all containers are killed at once, in the middle of commands, and started again. The hub is
 * elsewhere, and dies with them only now and then. Seed and round decide what is asked and when the power goes.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { create } from "@bufbuild/protobuf";
import { CommandSchema, type Result } from "../../../gen/edge/v1/command_pb.ts";
import { CommandState } from "../../../gen/edge/v1/fleet_pb.ts";
import { type Chance, chanceOf } from "../../fixtures/chance.ts";
import { type Engine, startEngine } from "../../fixtures/engine.ts";
import { scriptImage } from "../../fixtures/images.ts";
import { until } from "../until.ts";
import { makeWorld, type World } from "../world.ts";
import { after, type Kind, kindsFor, requestOf, type Should, succeeds } from "./model.ts";
import { lookAt, mustBeSeen } from "./seen.ts";
import { assertToldOnce } from "./told.ts";

/** The slowest commands take about as long; later the power goes when all is done. */
const [spreadMs, updateMs] = [900, 2000];
/** Generous: how long it took is told. */
const convergeMs = 60_000;
/** In one round in so many, the hub dies, too. */
const hubDiesIn = 5;
/** Never commanded: it must only come back. */
const steady = "steady";

/** One round, as it is told. */
export interface Round {
  number: number;
  asked: readonly { kind: Kind; name: string; id: string }[];
  cutAfterMs: number;
  withHub: boolean;
  /** Since engine and daemon both answered. */
  convergedMs: number;
  /** Since they were started. */
  sincePowerOnMs: number;
}

/** A node whose power can be cut, and what must be on it. */
export interface Ground extends AsyncDisposable {
  seed: number;
  world: World;
  engine: Engine;
  /** An image whose program does what its environment says. */
  script: string;
  should: Map<string, Should>;
  /** When what runs was started, as it was after the last round. */
  starts: Map<string, string>;
  results: Map<string, Result>;
  rounds: number;
}

/** Starts everything, with one runtime that runs. */
export async function openGround(seed: number): Promise<Ground> {
  await using opened = new AsyncDisposableStack();
  const engine = opened.use(await startEngine({ name: "cuts" }));
  // The engine is trusted with what runs for a second: so both it and the daemon start programs again.
  const env = { ORCHESTRATOR_RUNTIMES_TRUST_AFTER_MS: "1000" };
  const world = opened.use(await makeWorld({ engine, env }));
  const script = await scriptImage(engine);
  await world.startHub();
  await world.enrol();
  await world.startDaemon();
  await world.connected();
  const owned = opened.move();
  const absent: Should = { be: "absent", version: 1 };
  const ground: Ground = {
    ...{ seed, world, engine, script, rounds: 0, starts: new Map(), results: new Map() },
    should: new Map([steady, "one", "two"].map((name) => [name, absent])),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  await submit(ground, { kind: "create", name: steady, id: "create-steady" });
  await settled(ground, ["create-steady"]);
  return ground;
}

/** Asks for something of each runtime, cuts the power, and waits until the world is as it must be. */
export async function powerCut(ground: Ground): Promise<Round> {
  const { world, engine, seed } = ground;
  const number = ++ground.rounds;
  const chance = chanceOf(seed + number * 7919); // A prime: rounds of neighbouring seeds differ.
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
    const converged = await settled(ground, ids);
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

/** When all rounds are over: every command still has the result that it had, and every fact was told once. */
export async function assertOnce({ world, results }: Ground): Promise<void> {
  for (const [id, result] of results) {
    const { command } = await world.fleet().getCommand({ id });
    assert.deepEqual(command?.result, result, `the result of ${id} is the one that it was`);
  }
  const events = await world.events();
  const sequences = events.map(({ sequence }) => sequence);
  assert.deepEqual(
    sequences,
    [...new Set(sequences)].toSorted((one, other) => Number(one - other)),
  );
  assertToldOnce(events.flatMap(({ event }) => event ?? []));
}

function asksOf({ should }: Ground, number: number, chance: Chance): Round["asked"] {
  return ["one", "two"].map((name) => {
    const now = should.get(name);
    const kind = chance.oneOf(now ? kindsFor(now) : []);
    return { kind, name, id: `${number}-${kind.replaceAll(" ", "-")}-${name}` };
  });
}

async function submit(
  { world, should, script }: Ground,
  { kind, name, id }: Round["asked"][number],
): Promise<void> {
  const now = should.get(name);
  if (!now) throw new Error(`nothing is known of ${name}`);
  const command = create(CommandSchema, { id, request: requestOf(kind, name, now, script) });
  await world.fleet().submitCommand({ nodeId: world.nodeId, command });
  should.set(name, after(kind, now));
}

/** What nobody touched since the last round runs as it did. */
async function assertUntouched({ engine, starts }: Ground): Promise<void> {
  assert.deepEqual((await lookAt(engine.docker)).starts, starts, "nothing was restarted without need");
}

/**
 * Waits until every command has its result, and the engine has what it must and nothing else of ours.
 * @returns since when it has that.
 */
async function settled(ground: Ground, ids: readonly string[]): Promise<number> {
  const { engine, should, world, results } = ground;
  const must = new Map(
    [...should].flatMap(([name, one]) => {
      const seen = mustBeSeen(one);
      return seen ? [[name, seen] as const] : [];
    }),
  );
  let right: number | undefined;
  await until(
    "what must be",
    async () => {
      const { seen, starts } = await lookAt(engine.docker);
      right = isDeepStrictEqual(seen, must) ? (right ?? performance.now()) : undefined;
      assert.deepEqual(seen, must);
      ground.starts = starts;
      for (const id of ids) results.set(id, await resultOf(world, id));
      return true;
    },
    convergeMs,
  );
  for (const id of ids) {
    const { outcome } = results.get(id) ?? {};
    const kind = id.replace(/^\d+-|-[^-]+$/g, "").replaceAll("-", " ") as Kind; // As `asksOf` made it.
    assert.equal(outcome?.case !== "failure", succeeds(kind), `${id}: ${JSON.stringify(outcome, bigints)}`);
  }
  return right ?? Number.NaN;
}

const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

async function resultOf(world: World, id: string): Promise<Result> {
  const { command } = await world.fleet().getCommand({ id });
  if (command?.state === CommandState.FINISHED && command.result) return command.result;
  throw new Error(`${id} has no result yet`);
}
