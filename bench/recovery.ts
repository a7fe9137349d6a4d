/** How soon a runtime runs again: after its program was killed, and after everything else was. */
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { type Engine, startEngine } from "../test/fixtures/engine.ts";
import { idleImage } from "../test/fixtures/images.ts";
import { median } from "../tools/measure/spread.ts";
import { answerBeats, makeCrowd, makePlain, nameOf, runtimesOf, untilRunning } from "./crowd.ts";
import { figure, type Section } from "./figures.ts";
import { type BenchNode, benchNode } from "./node.ts";

const crashes = 10;
const cuts = 5;
const count = 20;
/** The pause before the first restart, as the contract says. */
const pauseMs = 1000;
/** The engine's own, from its documentation. */
const enginePauseMs = 100;

export async function measure(): Promise<Section> {
  const crash = await measureCrashes();
  const kill = await measureKills();
  const ms = (what: string, ours: number[], base: number[]) =>
    figure(what, median(ours), "ms", { base: median(base) });
  return {
    title: "Running again",
    how: `A program is killed with SIGKILL, one of ${count}, until the engine says that its container was started again, less the pause of ${pauseMs} ms before a first restart; the baseline is the engine's own restart (\`restart: always\`), less its ${enginePauseMs} ms; ${crashes} times in turns. Killed daemon and engine: SIGKILL to both and to one program of ${count}, then both are started, until the daemon says that all run; the baseline is a start of that engine until it answers. Power cut: containers are killed, too; the baseline is the same engine with as many containers of its own that it restarts by itself. ${cuts} times each. The other runtimes go on when only daemon and engine are killed.`,
    figures: [
      ms("after a crash, less the pause: p50", crash.ours, crash.plain),
      ms(`daemon and engine killed, until all of ${count} run: p50`, kill.both, kill.engine),
      ms(`power cut, until all of ${count} run: p50`, kill.cut, kill.plain),
    ],
  };
}

async function measureCrashes(): Promise<{ ours: number[]; plain: number[] }> {
  await using engine = await startEngine({ name: "bench" });
  const image = await idleImage(engine);
  await using node = await opened(engine, image);
  const runtimes = runtimesOf(node);
  await makePlain(engine, { image, count: 1 });
  const [ours, plain]: [number[], number[]] = [[], []];
  const labels = { "edge.runtime": nameOf(0) };
  for (let round = 0; round < crashes; round++) {
    const [mine] = await engine.docker.listContainers({ filters: { label: labelsOf(labels) } });
    ours.push((await untilStartedAgain(engine.docker, mine?.Id ?? "")) - pauseMs);
    plain.push((await untilStartedAgain(engine.docker, "plain-0")) - enginePauseMs);
    // Ends of both are forgotten: a stop and a start begin anew, and the engine forgets after ten seconds.
    await runtimes.stopRuntime({ name: nameOf(0) });
    await runtimes.startRuntime({ name: nameOf(0) });
    await sleep(10_000);
  }
  return { ours, plain };
}

function labelsOf(labels: Record<string, string>): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

async function untilStartedAgain(docker: Docker, id: string): Promise<number> {
  const { State } = await docker.getContainer(id).inspect();
  const stream = await docker.getEvents({ filters: { container: [id], event: ["start"] } });
  const from = performance.now();
  process.kill(State.Pid, "SIGKILL");
  for await (const _ of stream) break;
  return performance.now() - from;
}

async function measureKills(): Promise<Record<"both" | "engine" | "cut" | "plain", number[]>> {
  const times = { both: [] as number[], engine: [] as number[], cut: [] as number[], plain: [] as number[] };
  {
    await using engine = await startEngine({ name: "bench" });
    const image = await idleImage(engine);
    await using node = await opened(engine, image);
    const again = async (work: () => Promise<void>) => {
      await node.kill9();
      await work();
      const from = performance.now();
      const up = engine.start().then(() => performance.now() - from);
      answerBeats((await node.start()).stream);
      await untilRunning(runtimesOf(node), count);
      const took = performance.now() - from;
      return [took, await up] as const;
    };
    for (let round = 0; round < cuts; round++) {
      const [both, alone] = await again(async () => {
        const [one] = await engine.docker.listContainers({ limit: 1 });
        const { State } = await engine.docker.getContainer(one?.Id ?? "").inspect();
        await engine.kill9();
        process.kill(State.Pid, "SIGKILL");
      });
      times.both.push(both);
      times.engine.push(alone);
    }
    for (let round = 0; round < cuts; round++) times.cut.push((await again(() => engine.cutPower()))[0]);
  }
  await using engine = await startEngine({ name: "bench" });
  await makePlain(engine, { image: await idleImage(engine), count });
  for (let round = 0; round < cuts; round++) {
    await engine.cutPower();
    const from = performance.now();
    await engine.start();
    while ((await engine.docker.listContainers()).length < count) await sleep(20);
    times.plain.push(performance.now() - from);
  }
  return times;
}

async function opened(engine: Engine, image: string): Promise<BenchNode> {
  const node = await benchNode({ dockerHost: `unix://${engine.socketPath}` });
  const { stream } = await node.start();
  await stream.welcome();
  answerBeats(stream);
  await makeCrowd(node, { image, count });
  return node;
}
