/**
 * A daemon that is killed while tasks wait, start, run and are cancelled. Each task's program writes its id to a file of the node as
 * soon as it has its input, and again before it ends: by this it is known how often it ran. Those of one agent read no input, and are
 * only counted. Seed and round decide what is asked and when the daemon dies.
 */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, Agents } from "../../../gen/edge/v1/agents_pb.ts";
import { Events } from "../../../gen/edge/v1/events_pb.ts";
import { type Task, TaskState, Tasks } from "../../../gen/edge/v1/tasks_pb.ts";
import { type Chance, chanceOfRound } from "../../fixtures/chance.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { busyboxImage } from "../../fixtures/images.ts";
import { until } from "../until.ts";
import { makeWorld, type World } from "../world.ts";

/** A cold task takes about 300 ms on a busy machine; later the daemon dies when all is done. */
const spreadMs = 900;
/** Generous: how long it took is told. */
const settleMs = 60_000;

/** `read` ends with the input's line: what comes before it may be made ahead. */
const counting = (seconds: string) =>
  `read -r id; echo "$id" >> /counts/begun; sleep ${seconds}; echo "$id" >> /counts/ended; echo "$id"`;

/** Agents as they are executed in every round. */
const agents = [
  { name: "cold", script: counting("0.1"), concurrency: 3, warm: 0 },
  { name: "warm", script: counting("0.05"), concurrency: 3, warm: 2 },
  { name: "slow", script: counting("0.7"), concurrency: 2, warm: 0 },
  { name: "blind", script: "echo ran >> /counts/blind; sleep 0.1", concurrency: 2, warm: 0 },
];

/** One round, as it is told. */
export interface CrashRound {
  number: number;
  killedAfterMs: number;
  /** How many tasks were in which state when the daemon died, as far as its next life tells. */
  ends: Readonly<Record<string, number>>;
  settledMs: number;
}

export interface CrashGround extends AsyncDisposable {
  seed: number;
  world: World;
  counts: string;
  rounds: number;
  /** All that was asked for, in all rounds. */
  asked: string[];
}

/** Starts a daemon with agents that count. */
export async function openCrashGround(seed: number): Promise<CrashGround> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  const counts = join(folder.path, "counts");
  mkdirSync(counts);
  chmodSync(counts, 0o777); // An agent's program has a user of its own.
  const policy = join(folder.path, "policy.yaml");
  writeFileSync(policy, `profile: standard\nallow:\n  writable_mounts: [${counts}]\n`);
  const env = { ORCHESTRATOR_POLICY_FILE: policy, ORCHESTRATOR_TASKS_SLOTS: "5" };
  const world = opened.use(await makeWorld({ env }));
  const image = await busyboxImage(world.engine);
  await world.startDaemon();
  for (const { name, script, concurrency, warm } of agents) {
    await world.local(Agents).deployAgent({
      spec: {
        ...{ name, image, command: ["sh", "-c", script], concurrency, warm },
        mounts: [{ nodePath: counts, path: "/counts", writable: true }],
        resources: { stopGraceMs: 200 },
      },
    });
  }
  const owned = opened.move();
  return {
    ...{ seed, world, counts, rounds: 0, asked: [] },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Asks for tasks, cancels some, kills the daemon, and looks at what its next life makes of them. */
export async function taskCrash(ground: CrashGround): Promise<CrashRound> {
  const { world } = ground;
  const number = ++ground.rounds;
  const chance = chanceOfRound(ground.seed, number);
  const killedAfterMs = Math.round(chance.next() * spreadMs);
  const asked = Array.from({ length: 3 + chance.below(4) }, (_, at) => ({
    id: `task-${number}-${at}`,
    agent: chance.oneOf(agents).name,
    afterMs: chance.next() * killedAfterMs,
    // One in three is cancelled, some time later.
    cancelAfterMs: chance.below(3) === 0 ? chance.next() * 500 : undefined,
  }));
  const ranBefore = times(ground, "blind", "ran");
  ground.asked.push(...asked.map(({ id }) => id));
  const before = Promise.all(asked.map((one) => submit(world, one)));
  await sleep(killedAfterMs);
  await world.daemon.kill9();
  await before;

  const startedAt = performance.now();
  await world.startDaemon();
  // Whoever got no answer asks again, under the same id.
  await Promise.all(asked.map(({ id, agent }) => execute(world, id, agent)));
  await Promise.all(
    asked.flatMap(({ id, cancelAfterMs }) => (cancelAfterMs === undefined ? [] : cancel(world, id, chance))),
  );
  const tasks = await until(
    `all tasks of round ${number} are finished`,
    async () => {
      const all = await Promise.all(
        asked.map(async ({ id }) => (await world.local(Tasks).getTask({ id })).task),
      );
      return all.every((task) => task && task.state >= TaskState.SUCCEEDED) && (all as Task[]);
    },
    settleMs,
  );
  await until("only cells that wait are left", () => onlyWaitingLeft(world), settleMs);
  for (const task of tasks) mustBeRight(ground, task);
  mustHaveRunOnce(tasks, times(ground, "blind", "ran") - ranBefore);
  const ends: Record<string, number> = {};
  for (const { state, reason } of tasks) {
    const name = state === TaskState.FAILED ? `failed (${reason})` : wordOf(state);
    ends[name] = (ends[name] ?? 0) + 1;
  }
  return { number, killedAfterMs, ends, settledMs: performance.now() - startedAt };
}

/** Each task came into exactly one final state, and what was there for it is gone with its agents. */
export async function assertOnceAndNothingLeft({ world, asked }: CrashGround): Promise<void> {
  const finals = new Map<string, number>();
  for (let after = 0n, more = true; more; ) {
    const { events } = await world.local(Events).listEvents({ afterSequence: after, limit: 1_000 });
    for (const { event, sequence } of events) {
      after = sequence;
      const fact = event?.fact;
      if (fact?.case !== "task" || fact.value.state < TaskState.SUCCEEDED) continue;
      finals.set(fact.value.id, (finals.get(fact.value.id) ?? 0) + 1);
    }
    more = events.length > 0;
  }
  // The journal keeps the newest: what it has of a task, it has once.
  const twice = [...finals].filter(([, count]) => count !== 1);
  assert.deepEqual(twice, []);
  assert.ok(
    asked.slice(-50).every((id) => finals.has(id)),
    "each task's end is told",
  );
  for (const { name } of agents) await world.local(Agents).removeAgent({ name, cancelTasks: true });
  await until("no cell is left", async () => (await cellsOf(world)).length === 0);
  const folder = join(world.folder, "daemon", "cells");
  await until("no cell's folder is left", () => {
    assert.deepEqual(existsSync(folder) ? readdirSync(folder) : [], []);
    return true;
  });
}

async function submit(
  world: World,
  {
    id,
    agent,
    afterMs,
    cancelAfterMs,
  }: { id: string; agent: string; afterMs: number; cancelAfterMs: number | undefined },
): Promise<void> {
  try {
    await sleep(afterMs);
    await execute(world, id, agent);
    if (cancelAfterMs === undefined) return;
    await sleep(cancelAfterMs);
    await world.local(Tasks).cancelTask({ id });
  } catch {
    // The daemon died first.
  }
}

async function execute(world: World, id: string, agent: string): Promise<void> {
  const headers = { "edge-command-id": id };
  await world.local(Tasks).executeTask({ agent, input: Buffer.from(`${id}\n`) }, { headers });
}

async function cancel(world: World, id: string, chance: Chance): Promise<void> {
  await sleep(chance.next() * 300);
  await world.local(Tasks).cancelTask({ id });
}

/** How often a line is in a file that programs write. */
function times({ counts }: CrashGround, file: string, wanted: string): number {
  const path = join(counts, file);
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  return lines.filter((line) => line === wanted).length;
}

function mustBeRight(ground: CrashGround, { id, agent, state, reason, attempts }: Task): void {
  const isBlind = agent === "blind";
  const [begun, ended] = isBlind ? [1, 1] : [times(ground, "begun", id), times(ground, "ended", id)];
  const told = `${id} is ${wordOf(state)} (${reason}), begun ${begun} times, ended ${ended} times, ${attempts} attempts`;
  assert.ok(begun <= 1, told);
  if (state === TaskState.SUCCEEDED) assert.deepEqual([begun, ended, attempts], [1, 1, 1], told);
  else assert.ok(state === TaskState.CANCELLED || /so it may have run/.test(reason), told);
}

/** A program that reads nothing ran once for each task that succeeded, and for none that had no attempt. */
function mustHaveRunOnce(tasks: readonly Task[], ran: number): void {
  const blind = tasks.filter(({ agent }) => agent === "blind");
  const succeeded = blind.filter(({ state }) => state === TaskState.SUCCEEDED).length;
  const attempted = blind.filter(({ attempts }) => attempts > 0).length;
  const told = `${ran} runs of programs that read nothing, of ${attempted} tasks with an attempt`;
  assert.ok(succeeded <= ran && ran <= attempted, `${told}, ${succeeded} of which succeeded`);
}

async function onlyWaitingLeft(world: World): Promise<boolean> {
  const { agents: known } = await world.local(Agents).listAgents({});
  const warm = known.reduce((sum, { warm: count }: Agent) => sum + count, 0);
  const wanted = agents.reduce((sum, one) => sum + one.warm, 0);
  return warm === wanted && (await cellsOf(world)).length === wanted;
}

async function cellsOf({ docker }: World): Promise<string[]> {
  const all = await docker.listContainers({ all: true, filters: { label: ["edge.cell"] } });
  return all.map(({ Id }) => Id);
}

function wordOf(state: TaskState): string {
  const [name = ""] = Object.entries(TaskState).find(([, number]) => number === state) ?? [];
  return name.toLowerCase();
}
