/**
 * A node in trouble: a hub, a daemon and an engine as programs, runtimes of which it is known what must become of them, and the look at
 * the engine that says whether it did. Seed and round decide what is asked.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { create } from "@bufbuild/protobuf";
import { CommandSchema, type Result } from "../../../gen/edge/v1/command_pb.ts";
import { CommandState } from "../../../gen/edge/v1/fleet_pb.ts";
import type { Chance } from "../../fixtures/chance.ts";
import { type Engine, startEngine } from "../../fixtures/engine.ts";
import { scriptImage } from "../../fixtures/images.ts";
import { until } from "../until.ts";
import { makeWorld, type World, type WorldOptions } from "../world.ts";
import { after, type Kind, kindsFor, requestOf, type Should, succeeds } from "./model.ts";
import { lookAt, mustBeSeen } from "./seen.ts";
import { assertToldOnce } from "./told.ts";

/** Never commanded: it must only come back. */
const steady = "steady";

/** What is asked for in a round. */
export interface Asked {
  kind: Kind;
  name: string;
  id: string;
}

/** A node, and what must be on it. */
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
export async function openGround(seed: number, options: WorldOptions = {}): Promise<Ground> {
  await using opened = new AsyncDisposableStack();
  const engine = opened.use(await startEngine({ name: "ground" }));
  // The engine is trusted with what runs for a second: so both it and the daemon start programs again.
  const env = { ...options.env, ORCHESTRATOR_RUNTIMES_TRUST_AFTER_MS: "1000" };
  const world = opened.use(await makeWorld({ ...options, engine, env }));
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
  await settled(ground, ["create-steady"], 60_000);
  return ground;
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

/** One command for each runtime that is commanded, as chance will. */
export function asksOf({ should }: Ground, number: number, chance: Chance): Asked[] {
  return ["one", "two"].map((name) => {
    const now = should.get(name);
    const kind = chance.oneOf(now ? kindsFor(now) : []);
    return { kind, name, id: `${number}-${kind.replaceAll(" ", "-")}-${name}` };
  });
}

/** Puts a command into the node's queue at the hub, and notes what must become of the runtime. */
export async function submit({ world, should, script }: Ground, { kind, name, id }: Asked): Promise<void> {
  const now = should.get(name);
  if (!now) throw new Error(`nothing is known of ${name}`);
  const command = create(CommandSchema, { id, request: requestOf(kind, name, now, script) });
  await world.fleet().submitCommand({ nodeId: world.nodeId, command });
  should.set(name, after(kind, now));
}

/** What nobody touched since the last round runs as it did. */
export async function assertUntouched({ engine, starts }: Ground): Promise<void> {
  assert.deepEqual((await lookAt(engine.docker)).starts, starts, "nothing was restarted without need");
}

/**
 * Waits until every command has its result, and the engine has what it must and nothing else of ours.
 * @returns since when it has that.
 */
export async function settled(ground: Ground, ids: readonly string[], withinMs: number): Promise<number> {
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
    withinMs,
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
