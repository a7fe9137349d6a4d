/** What happens on the ground while it is watched: commands, questions, messages, and a link that breaks. */
import { setTimeout as sleep } from "node:timers/promises";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { Topics } from "../../gen/edge/v1/topics_pb.ts";
import { abortOf, runTasks } from "../../src/base/tasks.ts";
import { type Chance, chanceOf } from "../../test/fixtures/chance.ts";
import { type Ground, runtimeNames } from "./ground.ts";

/** What was done so far. */
export interface Done {
  commands: number;
  questions: number;
  /** Calls that failed, which some must while the link is away. */
  failed: number;
  flaps: number;
}

export interface Pace {
  /** Between two flaps of the link, on average, in milliseconds. */
  flapMs: number;
  /** Between two questions, in milliseconds. */
  questionMs: number;
  /** Between two commands, in milliseconds. */
  commandMs: number;
}

/** No call waits longer, in milliseconds: a command outlives several flaps, and goes on without its caller. */
const patienceMs = 30_000;

/** Lives until the signal is aborted, at the pace of the moment; counts into `done`. */
export async function live(
  ground: Ground,
  { pace, seed, done }: { pace: () => Pace; seed: number; done: Done },
  signal: AbortSignal,
): Promise<void> {
  const command = commandsOf(ground, chanceOf(seed));
  const question = questionsOf(ground, chanceOf(seed + 1));
  const trouble = chanceOf(seed + 2);
  const counted = (what: "commands" | "questions", ask: () => Promise<unknown>) => async () => {
    done[what]++;
    await ask().catch(() => done.failed++);
  };
  await runTasks(
    signal,
    (stop) => each(() => pace().commandMs, stop, counted("commands", command)),
    (stop) => each(() => pace().questionMs, stop, counted("questions", question)),
    async (stop) => {
      while (!stop.aborted) {
        await pause(pace().flapMs * (0.5 + trouble.next()), stop);
        if (stop.aborted) return;
        done.flaps++;
        await flap(ground, trouble, stop);
      }
    },
  );
}

async function flap({ link }: Ground, chance: Chance, stop: AbortSignal): Promise<void> {
  const how = chance.oneOf(["cut", "close", "freeze"] as const);
  link[how]();
  if (how !== "cut") await pause(chance.below(8_000), stop);
  link.mend();
}

function commandsOf({ world }: Ground, chance: Chance): () => Promise<unknown> {
  const remote = world.remote(Runtimes);
  const topics = world.remote(Topics);
  const name = "short-lived";
  const call = { timeoutMs: patienceMs };
  const payload = new Uint8Array(200);
  const kinds: (() => Promise<unknown>)[] = [
    () => remote.restartRuntime({ name: chance.oneOf(runtimeNames) }, call),
    () => topics.publishMessage({ topic: "soak", payload }, call),
    async () => {
      const spec = { name, image: world.image, profile: RuntimeProfile.PLAIN, stopGraceMs: 1000 };
      await remote.createRuntime({ spec }, call);
    },
    () => remote.deleteRuntime({ name }, call),
  ];
  return () => chance.oneOf(kinds)();
}

function questionsOf({ world }: Ground, chance: Chance): () => Promise<unknown> {
  const call = { timeoutMs: patienceMs };
  const [remote, local, node, fleet] = [
    world.remote(Runtimes),
    world.local(Runtimes),
    world.remote(Node),
    world.fleet(),
  ];
  const tailLines = 1000;
  const kinds: (() => Promise<unknown>)[] = [
    () => remote.getRuntimeLogs({ name: chance.oneOf(runtimeNames), tailLines }, call),
    () => local.getRuntimeLogs({ name: chance.oneOf(runtimeNames), tailLines }, call),
    () => remote.listRuntimes({}, call),
    () => local.listRuntimes({}, call),
    () => node.getMetrics({}, call),
    () => fleet.listNodes({}, call),
    async () => {
      for await (const _ of fleet.watchEvents({ last: 100, stopWhenCaughtUp: true }, call));
    },
  ];
  return () => chance.oneOf(kinds)();
}

async function each(ms: () => number, stop: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!stop.aborted) {
    using end = abortOf(stop);
    await Promise.race([work(), end.promise]);
    await pause(ms(), stop);
  }
}

async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stop }).catch(() => {});
}
