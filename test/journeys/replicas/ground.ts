/** Hubs, nodes that count, and an operator, in trouble: commands go on while something fails, and in the end all is as it must be. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { chanceOfRound } from "../../fixtures/chance.ts";
import { until } from "../until.ts";
import { type Cell, openCell } from "./cell.ts";
import { type CountedNode, openCountedNode } from "./counted-node.ts";
import { anyFaults, faultsOf, type Planned } from "./faults.ts";
import { type Operator, openOperator } from "./operator.ts";

export interface Ground extends AsyncDisposable {
  seed: number;
  cell: Cell;
  nodes: readonly CountedNode[];
  operator: Operator;
  /** Ids of commands by node, in the order in which a hub took them. */
  taken: Map<string, string[]>;
  rounds: number;
}

export interface GroundOptions {
  nodes: number;
  /** Identities that the cell has beyond those of the nodes. */
  spare?: number;
  env?: Record<string, string>;
}

/** Opens it; every line is up. */
export async function openGround(
  seed: number,
  { nodes: count, spare = 0, env }: GroundOptions,
): Promise<Ground> {
  await using opened = new AsyncDisposableStack();
  const beats = { ORCHESTRATOR_HUB_BEAT_INTERVAL_MS: "1000", ORCHESTRATOR_LOG_FORMAT: "json" };
  const cell = opened.use(await openCell({ hubs: 2, nodes: count + spare, env: { ...beats, ...env } }));
  const nodes: CountedNode[] = [];
  for (let at = 0; at < count; at++) {
    nodes.push(opened.use(await openCountedNode(cell, { at, answerMs: 50 })));
  }
  const operator = opened.use(openOperator(cell.hubs));
  const taken = new Map(nodes.map(({ nodeId }): [string, string[]] => [nodeId, []]));
  const ground = { seed, cell, nodes, operator, taken, rounds: 0 };
  await until("all lines are up", () => nodes.every(({ isUp }) => isUp));
  const owned = opened.move();
  return { ...ground, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/**
 * Gives each node so many commands, one every so often, and resolves when all have their results. What it fails with is heard by who
 * awaits it, also when something else is awaited first.
 */
export function askAll(ground: Ground, count: number, everyMs: number): Promise<unknown> {
  const asked = Promise.all(ground.nodes.map((node) => askOne(ground, node, count, everyMs)));
  asked.catch(() => {});
  return asked;
}

async function askOne(
  { operator, taken }: Ground,
  { nodeId }: CountedNode,
  count: number,
  everyMs: number,
): Promise<void> {
  const mine = taken.get(nodeId) ?? [];
  const waiting: Promise<void>[] = [];
  for (let at = 0; at < count; at++) {
    const id = `${nodeId}-${mine.length + 1}`;
    await operator.submit(nodeId, id, "line");
    mine.push(id);
    waiting.push(operator.result(id).then(({ outcome }) => assert.equal(outcome.case, "restartRuntime", id)));
    await sleep(everyMs);
  }
  await Promise.all(waiting);
}

/** Each command was begun once and in order, each event was told once and in order, and both hubs see all as it is. */
export async function assertRight({ nodes, operator, taken, cell }: Ground): Promise<void> {
  for (const { nodeId, begun } of nodes) assert.deepEqual(begun, taken.get(nodeId), "begun once, in order");
  await until("all events are told", () => {
    for (const { nodeId, begun } of nodes) {
      const told = operator.events.flatMap(({ nodeId: of, event }) =>
        of === nodeId && event?.fact.case === "runtime" ? [event.reason] : [],
      );
      assert.deepEqual(told, begun, "told once, in order");
    }
    return true;
  });
  const positions = operator.events.map(({ position }) => position);
  assert.ok(
    positions.every((one, at) => at === 0 || one > (positions[at - 1] ?? 0n)),
    "each position once, ascending",
  );
  for (const hub of cell.hubs) {
    await until(
      "it sees all as it is",
      async () => {
        const { nodes: seen } = await hub.client(Fleet).listNodes({});
        const mine = seen.filter(({ id }) => taken.has(id));
        const wrong = mine.filter((one) => !one.connected || one.pendingCommands !== 0);
        assert.deepEqual(
          wrong.map(({ id, connected, pendingCommands }) => ({ id, connected, pendingCommands })),
          [],
        );
        return true;
      },
      45_000,
    );
  }
}

/** One round, as it is told. */
export interface Round {
  number: number;
  faults: readonly Planned[];
  /** Since the last fault was mended, until all was as it must be. */
  convergedMs: number;
}

const commandsOfNode = 12;

/** Lets some faults happen while commands go on, and waits until all is as it must be. */
export async function round(ground: Ground): Promise<Round> {
  const number = ++ground.rounds;
  const chance = chanceOfRound(ground.seed, number);
  const faults = anyFaults(faultsOf(ground.cell), chance);
  try {
    const asking = askAll(ground, commandsOfNode, 100 + chance.below(300));
    await Promise.all(
      faults.map(async ({ fault, afterMs, forMs }) => {
        await sleep(afterMs);
        await fault.happen(forMs);
      }),
    );
    const mendedAt = performance.now();
    await asking;
    await assertRight(ground);
    return { number, faults, convergedMs: performance.now() - mendedAt };
  } catch (cause) {
    const said = ground.cell.hubs.map(({ program }) => program.output().slice(-4000)).join("\n\n");
    throw new Error(`with seed ${ground.seed}, ${inWords({ number, faults })}\n${said}`, { cause });
  }
}

/** What went wrong. */
export function inWords({ number, faults }: Omit<Round, "convergedMs">): string {
  const what = faults.map(({ fault, afterMs, forMs }) => `${fault.name} after ${afterMs} ms for ${forMs} ms`);
  return `round ${number}: ${what.join("; ")}`;
}
