/** The daemon as it ships: how long it takes to be connected, and what it costs to keep. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { startEngine } from "../test/fixtures/engine.ts";
import { memoryOf } from "../tools/measure/memory.ts";
import { median } from "../tools/measure/spread.ts";
import { answerBeats } from "./crowd.ts";
import { figure, type Section } from "./figures.ts";
import { benchNode } from "./node.ts";

const starts = 9;
/** Long enough for garbage of the start to be collected, and for some beats. */
const idleMs = 30_000;

export async function measure(): Promise<Section> {
  await using engine = await startEngine({ name: "bench" });
  await using node = await benchNode({ dockerHost: `unix://${engine.socketPath}` });
  const connected: number[] = [];
  const empty: number[] = [];
  for (let round = 0; round < starts; round++) {
    const { stream, startedAt } = await node.start();
    await stream.welcome();
    await stream.expect("status");
    connected.push(performance.now() - startedAt);
    await node.stop();
    const from = performance.now();
    await once(spawn(process.execPath, ["-e", ""]), "exit");
    empty.push(performance.now() - from);
  }
  const { process: daemon, stream } = await node.start();
  await stream.welcome();
  answerBeats(stream);
  const bare = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await sleep(idleMs);
  const [ours, theirs] = [await memoryOf(daemon.pid ?? 0), await memoryOf(bare.pid ?? 0)];
  bare.kill();
  return {
    title: "The daemon",
    how: `The bundle, started as its systemd unit does, with an engine and no runtimes. Connected: from spawn until the hub has the first status, median of ${starts} starts. Memory: after ${idleMs / 1000} s of beats. The baseline is an empty Node process.`,
    figures: [
      figure("start until connected", median(connected), "ms", { base: median(empty), aim: "300 ms" }),
      figure("resident memory", ours.residentMb, "MB", { base: theirs.residentMb, aim: "at most 85 MB" }),
      figure("of it anonymous", ours.anonymousMb, "MB", { base: theirs.anonymousMb, aim: "27 MB" }),
    ],
  };
}
