/** What the daemon adds to the engine's own time: command frame in, result frame out, disk included. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import Docker from "dockerode";
import { type Command, CommandSchema } from "../gen/edge/v1/command_pb.ts";
import { RuntimeProfile } from "../gen/edge/v1/runtimes_pb.ts";
import { Sql } from "../src/base/sql.ts";
import type { HubStream } from "../test/fakes/hub.ts";
import { startEngine } from "../test/fixtures/engine.ts";
import { idleImage } from "../test/fixtures/images.ts";
import { quantile } from "../tools/measure/spread.ts";
import { startEngineMeter } from "./engine-meter.ts";
import { figure, type Section } from "./figures.ts";
import { benchNode } from "./node.ts";

const rounds = 60;
/** Rounds that warm up caches and compilers, and are not counted. */
const warmUp = 10;

/** How long a start watches that the program goes on running, on purpose: not counted. */
const settleMs = 500;

type Request = NonNullable<Command["request"]>;

export async function measure(): Promise<Section> {
  await using engine = await startEngine({ name: "bench" });
  const image = await idleImage(engine);
  await using meter = await startEngineMeter(engine.socketPath, join(engine.dir, "metered.sock"));
  await using node = await benchNode({ dockerHost: `unix://${meter.socketPath}` });
  const { stream } = await node.start();
  await stream.welcome();
  const caller = callerOf(stream);
  const spec = { name: "bench", image, profile: RuntimeProfile.PLAIN, stopGraceMs: 2000 };
  await caller(create(CommandSchema, { request: { case: "createRuntime", value: { spec } } }).request);

  const docker = new Docker({ socketPath: meter.socketPath });
  const made = await docker.createContainer({ Image: image, name: "bare" });
  await made.start();

  const ours = { stop: [] as number[], start: [] as number[], again: [] as number[], read: [] as number[] };
  const bare = { stop: [] as number[], start: [] as number[], read: [] as number[] };
  const commits: number[] = [];
  using sql = Sql.open(join(node.dataDir, "bare.db"), [bench], Date.now);
  const added = async (into: number[], work: () => Promise<unknown>, onPurposeMs = 0) => {
    const from = performance.now();
    await work();
    const to = performance.now();
    into.push(to - from - meter.busyMs(from, to) - onPurposeMs);
    await sleep(20); // The loop looks at what happened; it must not overlap with the next round.
  };
  const ask = (name: "stopRuntime" | "startRuntime" | "getRuntime") =>
    caller(create(CommandSchema, { request: { case: name, value: { name: "bench" } } }).request);
  for (let round = 0; round < warmUp + rounds; round++) {
    await added(ours.stop, () => ask("stopRuntime"));
    await added(bare.stop, () => made.stop({ t: 2 }));
    await added(ours.start, () => ask("startRuntime"), settleMs);
    await added(bare.start, () => made.start());
    await added(ours.again, () => ask("startRuntime"));
    await added(ours.read, () => ask("getRuntime"));
    await added(bare.read, () => made.inspect());
    commits.push(timeOf(() => sql.run("INSERT INTO bench VALUES (?)", "x".repeat(200))));
  }
  const counted = (values: number[]) => values.slice(warmUp);
  const rows = (["stop", "start", "read"] as const).flatMap((name) =>
    ([0.5, 0.99] as const).map((share) =>
      figure(`${name}: ${share === 0.5 ? "p50" : "p99"} added`, quantile(counted(ours[name]), share), "ms", {
        base: quantile(counted(bare[name]), share),
        aim: share === 0.5 ? "p50 under 1 ms" : "p99 under 5 ms",
      }),
    ),
  );
  const again = ([0.5, 0.99] as const).map((share) =>
    figure(
      `start of a running one: ${share === 0.5 ? "p50" : "p99"} added`,
      quantile(counted(ours.again), share),
      "ms",
    ),
  );
  const disk = ([0.5, 0.99] as const).map((share) =>
    figure(
      `one commit on this disk: ${share === 0.5 ? "p50" : "p99"}`,
      quantile(counted(commits), share),
      "ms",
    ),
  );
  return {
    title: "Added time",
    how: `${rounds} rounds of stop, start and get, over the line to a daemon and directly with dockerode, in turn. Added is the time from request to answer in which the engine was at work on nothing, without the ${settleMs} ms for which a start watches its program on purpose. A command that changes something is four commits: accepted, wish, event, result. The baseline is what dockerode itself adds to its one call.`,
    figures: [...rows, ...again, ...disk],
  };
}

const bench = { room: "bench", migrations: ["CREATE TABLE bench (text TEXT) STRICT"] };

function timeOf(work: () => void): number {
  const from = performance.now();
  work();
  return performance.now() - from;
}

/** Sends commands over the line, one at a time, and waits for the result of each. */
function callerOf(stream: HubStream): (request: Request) => Promise<void> {
  let sequence = 0n;
  return async (request) => {
    const isRead = request.case === "getRuntime";
    const id = `bench-${process.pid}-${performance.now()}`.replaceAll(".", "_");
    if (!isRead) sequence++;
    stream.say({ case: "command", value: { sequence: isRead ? 0n : sequence, command: { id, request } } });
    for (;;) {
      const { entry } = await stream.expect("report");
      if (entry.case !== "result" || entry.value.commandId !== id) continue;
      const { outcome } = entry.value;
      if (outcome.case === "failure") throw new Error(outcome.value.message);
      return;
    }
  };
}
