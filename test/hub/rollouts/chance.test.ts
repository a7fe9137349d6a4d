/** Rollouts under chance: nodes come, go and answer, and the hub ends at any moment. What must hold, holds at each look. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Rollout, RolloutNodeState, RolloutState } from "../../../gen/edge/v1/rollouts_pb.ts";
import { type Chance, chanceOf, testSeed } from "../../fixtures/chance.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { openRooms } from "../fleet/rooms.ts";
import { answer, begin, inShort, requestOf, take } from "./fleet.ts";

const stories = 16;
const steps = 40;

const isEnded = (state: RolloutNodeState) => state >= RolloutNodeState.SUCCEEDED;
const hasBegun = ({ state }: { state: RolloutNodeState }) =>
  state !== RolloutNodeState.WAITING && state !== RolloutNodeState.SKIPPED;
const count = ({ nodes }: Rollout, wanted: RolloutNodeState) =>
  nodes.filter(({ state }) => state === wanted).length;

interface Limits {
  batch: number;
  maxFailures: number;
}

/** What must hold of a rollout, whatever it was before. */
function mustHold(now: Rollout, { batch, maxFailures }: Limits): void {
  assert.ok(count(now, RolloutNodeState.RUNNING) <= batch, "more are in work than a batch has");
  const current = now.nodes.findIndex(({ state }) => !isEnded(state));
  if (current >= 0) {
    const next = (Math.floor(current / batch) + 1) * batch;
    assert.ok(!now.nodes.slice(next).some(hasBegun), "a batch began before the one before had ended");
  }
  const { counts, finishedAt } = now;
  const told = [counts?.waiting, counts?.running, counts?.succeeded, counts?.failed, counts?.skipped];
  const seen = [1, 2, 3, 4, 5].map((state) => count(now, state as RolloutNodeState));
  assert.deepEqual(told, seen);
  assert.equal(finishedAt !== undefined, current < 0, "it ends with its last node");
  const failed = count(now, RolloutNodeState.FAILED) > maxFailures;
  if (now.state === RolloutState.SUCCEEDED) assert.ok(!failed);
  if (now.state === RolloutState.FAILED) assert.ok(failed);
}

/** What must hold from one look to the next. */
function mustFollow(before: Rollout, now: Rollout, { maxFailures }: Limits, calledOff: boolean): void {
  for (const [at, node] of before.nodes.entries()) {
    if (isEnded(node.state)) assert.deepEqual(now.nodes[at], node, "who has ended stays as it is");
  }
  const mayBegin = !calledOff && count(before, RolloutNodeState.FAILED) <= maxFailures;
  if (mayBegin) return;
  const began = now.nodes.filter(
    (node, at) => hasBegun(node) && before.nodes[at]?.state === RolloutNodeState.WAITING,
  );
  assert.deepEqual(began, [], "a node began after the end was decided");
}

/** One rollout from its start to its end. */
async function story(chance: Chance): Promise<void> {
  using folder = tempFolder();
  const nodeIds = Array.from({ length: 1 + chance.below(9) }, (_, at) => `n-${at}`);
  const limits = { batch: 1 + chance.below(4), maxFailures: chance.below(3) };
  let rooms = await openRooms({ path: folder.path, nodes: nodeIds });
  const lines = new Map<string, () => void>();
  /** Commands that nodes have on their disks and did not answer, and all that they ever had. */
  const taken = new Map<string, { id: string; sequence: number }[]>();
  const had = new Map<string, Set<string>>();
  const answered = new Set<string>();
  let calledOff = false;
  try {
    const request = requestOf(nodeIds, {
      ...{ batch: String(limits.batch), maxFailures: limits.maxFailures, nodeTimeoutMs: 10_000n },
      skipOffline: chance.next() < 0.3,
    });
    let seen = await begin(rooms, request);
    mustHold(seen, limits);
    const anyone = () => chance.oneOf(nodeIds);
    const come = async (id: string) => {
      if (lines.has(id) || !rooms.fleet.has(id)) return;
      const last = Math.max(
        0,
        ...[...(taken.get(id) ?? [])].map(({ sequence }) => sequence),
        had.get(id)?.size ?? 0,
      );
      await rooms.commands.deliveries.resumed(id, last);
      lines.set(
        id,
        rooms.commands.deliveries.attend(id, () => {}),
      );
      rooms.fleet.presence.arrived(id);
    };
    const leave = (id: string) => {
      lines.get(id)?.();
      if (lines.delete(id)) rooms.fleet.presence.left(id);
    };
    const get = async (id: string) => {
      if (!lines.has(id)) return;
      const known = had.get(id) ?? new Set();
      had.set(id, known);
      for (const one of await take(rooms, id, known.size)) {
        known.add(one.id);
        taken.set(id, [...(taken.get(id) ?? []), one]);
      }
    };
    const reply = async (id: string) => {
      const [one, ...others] = taken.get(id) ?? [];
      if (!one || !lines.has(id)) return;
      taken.set(id, others);
      answered.add(id);
      await answer(rooms, id, one.id, chance.oneOf(["done", "done", "done", "half", "refused"] as const));
    };
    const restart = async () => {
      // In the middle of whatever it does: what is not on the disk by then never was.
      const late = chance.next() < 0.5 ? rooms.rollouts.advance() : undefined;
      lines.clear();
      await rooms[Symbol.asyncDispose]();
      await late;
      rooms = await openRooms({ path: folder.path, nodes: [] });
    };
    const look = async () => {
      await rooms.commands.expire();
      await rooms.rollouts.advance();
      const now = await rooms.rollouts.get("r1");
      mustHold(now, limits);
      const unheard = now.nodes.filter(
        ({ nodeId, state }) => state === RolloutNodeState.RUNNING && answered.has(nodeId),
      );
      assert.deepEqual(unheard, [], "who has answered is not awaited");
      mustFollow(seen, now, limits, calledOff);
      seen = now;
    };
    const cancel = async () => {
      await look();
      await rooms.rollouts.cancel("r1", "operator/t");
      calledOff = true;
    };
    const events: (() => unknown)[] = [
      ...times(20, () => come(anyone())),
      ...times(6, () => leave(anyone())),
      ...times(26, () => get(anyone())),
      ...times(20, () => reply(anyone())),
      ...times(6, () => rooms.pass(chance.below(4000))),
      ...times(10, restart),
      ...times(1, () => rooms.fleet.remove(anyone()).catch(() => {})),
      ...times(1, cancel),
    ];
    for (let step = 0; step < steps && !seen.finishedAt; step++) {
      await chance.oneOf(events)();
      if (chance.next() < 0.7) await look();
    }
    for (let round = 0; !seen.finishedAt; round++) {
      assert.ok(round < 20, `it does not end: ${inShort(seen)}`);
      for (const id of nodeIds) {
        await come(id);
        await get(id);
        await reply(id);
      }
      rooms.pass(1000);
      await look();
    }
    for (const [nodeId, ids] of had) assert.ok(ids.size <= 1, `${nodeId} had ${[...ids].join(", ")}`);
    await restart();
    assert.deepEqual(await rooms.rollouts.get("r1"), seen, "what has ended stays as it is");
  } finally {
    await rooms[Symbol.asyncDispose]();
  }
}

function times(count: number, event: () => unknown): (() => unknown)[] {
  return Array.from({ length: count }, () => event);
}

test("a rollout keeps its promises whatever nodes and the hub do", async () => {
  for (let number = 0; number < stories; number++) {
    const seed = testSeed + number;
    await story(chanceOf(seed)).catch((cause: unknown) => {
      throw new Error(`the story of seed ${seed} went wrong`, { cause });
    });
  }
});
