/** Tasks by the daemon's socket: how soon a program has its input, how many there are in a second, and what each costs. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, type FSWatcher, mkdirSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { Client } from "@connectrpc/connect";
import { Agents } from "../gen/edge/v1/agents_pb.ts";
import { TaskState, Tasks } from "../gen/edge/v1/tasks_pb.ts";
import { type Engine, startEngine } from "../test/fixtures/engine.ts";
import { tempFolder } from "../test/fixtures/folder.ts";
import { busyboxImage } from "../test/fixtures/images.ts";
import { until } from "../test/journeys/until.ts";
import { serviceAt } from "../test/journeys/world.ts";
import { cpuMs } from "../tools/measure/cpu.ts";
import { median, quantile } from "../tools/measure/spread.ts";
import { answerBeats } from "./crowd.ts";
import { type Figure, figure, type Section } from "./figures.ts";
import { benchNode } from "./node.ts";

const rounds = 30;
const sustained = 100;
const crowd = 50;
const atOnce = 4;
/** Marks that it has its input: with a file of the node, which is seen at once. */
const script = 'read -r id; : > "/marks/$id"';

export async function measure(): Promise<Section> {
  await using engine = await startEngine({ name: "bench" });
  const image = await busyboxImage(engine);
  using folder = tempFolder();
  using marks = new Marks(join(folder.path, "marks"));
  const policy = join(folder.path, "policy.yaml");
  writeFileSync(policy, `profile: standard\nallow:\n  writable_mounts: [${marks.path}]\n`);
  await using node = await benchNode({ dockerHost: `unix://${engine.socketPath}` });
  const { process: daemon, stream } = await node.start({
    ORCHESTRATOR_POLICY_FILE: policy,
    ORCHESTRATOR_POLICY_MAX_CONTAINERS: String(2 * crowd),
    ORCHESTRATOR_TASKS_SLOTS: String(crowd),
  });
  await stream.welcome();
  answerBeats(stream);
  const socket = join(node.dataDir, "daemon.sock");
  const [agents, tasks] = [serviceAt(socket, Agents), serviceAt(socket, Tasks)];
  const deploy = async (name: string, warm: number) => {
    const mounts = [{ nodePath: marks.path, path: "/marks", writable: true }];
    const spec = { name, image, command: ["sh", "-c", script], warm, concurrency: crowd, mounts };
    await agents.deployAgent({ spec });
    await filled(agents, name, warm);
  };
  await deploy("cold", 0);
  await deploy("warm", 1);
  const execute = async (agent: string): Promise<number> => {
    const id = marks.newId();
    const from = performance.now();
    const [tookMs, { task }] = await Promise.all([
      marks.seen(id).then((at) => at - from),
      tasks.executeTask({ agent, input: Buffer.from(`${id}\n`), wait: true }),
    ]);
    if (task?.state !== TaskState.SUCCEEDED) throw new Error(`a task of ${agent} failed: ${task?.reason}`);
    return tookMs;
  };
  const plain = (id: string) => plainCalls(engine, { image, marks, id });

  const took: Record<"cold" | "warm" | "run" | "plain", number[]> = {
    cold: [],
    warm: [],
    run: [],
    plain: [],
  };
  await execute("cold"); // What is made once is made.
  for (let round = 0; round < rounds; round++) {
    took.cold.push(await execute("cold"));
    await filled(agents, "warm", 1);
    took.warm.push(await execute("warm"));
    took.plain.push(await plain(marks.newId()));
    took.run.push(await dockerRun(engine, { image, marks }));
  }

  await agents.removeAgent({ name: "warm" });
  const pid = daemon.pid ?? 0;
  const before = await cpuMs(pid);
  const oursMs = await timeOf(() => inParallel(sustained, 2 * atOnce, () => execute("cold")));
  const cpuEach = ((await cpuMs(pid)) - before) / sustained;
  const plainMs = await timeOf(() => inParallel(sustained, atOnce, () => plain(marks.newId())));
  await deploy("crowd", crowd);
  const burstMs = await burst(tasks, marks);

  return {
    title: "Tasks",
    how: `The bundle, asked over its socket, ExecuteTask until the answer. First instruction: from the call until the program, the shell of busybox, has read its input and made a file on the node; ${rounds} times in turns. Cold: its container is made; warm: one waited. The baselines are \`docker run\` from its spawn, and the engine's own calls (create, attach, start, write) without any confinement but no network. Sustained: ${sustained} tasks of an agent without warm containers, ${2 * atOnce} asked for at once, until each is finished and answered; the same by the engine's own calls, ${atOnce} at once, until each is removed. CPU is user and system time of the daemon. Burst: ${crowd} tasks at once for ${crowd} containers that wait, until all have begun.`,
    figures: [
      ...quantiles("cold, first instruction, against docker run", took.cold, took.run, "p50 < 100 ms"),
      ...quantiles("cold, first instruction, against plain engine calls", took.cold, took.plain),
      ...quantiles(
        "warm, first instruction, against plain engine calls",
        took.warm,
        took.plain,
        "p50 < 5 ms",
      ),
      figure("sustained", (sustained * 1000) / oursMs, "/s", {
        base: (sustained * 1000) / plainMs,
        aim: "> 20 /s",
      }),
      figure("CPU of the daemon, each task", cpuEach, "ms"),
      figure(`burst of ${crowd}, until all have begun`, burstMs, "ms", { aim: "< 100 ms" }),
    ],
  };
}

function quantiles(what: string, ours: number[], base: number[], aim = ""): Figure[] {
  return [
    figure(`${what}: p50`, median(ours), "ms", { base: median(base), aim }),
    figure(`${what}: p99`, quantile(ours, 0.99), "ms", { base: quantile(base, 0.99) }),
  ];
}

/** A folder of the node in which programs leave a file each, and when they did. */
class Marks implements Disposable {
  readonly path: string;
  readonly #waiting = new Map<string, (at: number) => void>();
  readonly #watcher: FSWatcher;
  #count = 0;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path);
    chmodSync(path, 0o777); // An agent's program has a user of its own.
    this.#watcher = watch(path, (_, name) => {
      const seen = this.#waiting.get(String(name));
      this.#waiting.delete(String(name));
      seen?.(performance.now());
    });
  }

  newId(): string {
    return `mark-${++this.#count}`;
  }

  /** Resolves with the moment in which a file of this name is made. */
  seen(id: string): Promise<number> {
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }
}

async function filled(agents: Client<typeof Agents>, name: string, warm: number): Promise<void> {
  const count = async () => (await agents.getAgent({ name })).agent?.warm === warm;
  await until(`${warm} containers of ${name} wait`, count, 120_000);
}

async function burst(tasks: Client<typeof Tasks>, marks: Marks): Promise<number> {
  const ids = Array.from({ length: crowd }, () => marks.newId());
  const seen = ids.map((id) => marks.seen(id));
  const from = performance.now();
  await Promise.all(ids.map((id) => tasks.executeTask({ agent: "crowd", input: Buffer.from(`${id}\n`) })));
  return Math.max(...(await Promise.all(seen))) - from;
}

interface Plain {
  image: string;
  marks: Marks;
  id: string;
}

/** The same program by the engine's own calls; removed when it returns. */
async function plainCalls({ docker }: Engine, { image, marks, id }: Plain): Promise<number> {
  const from = performance.now();
  const container = await docker.createContainer({
    ...{ Image: image, Cmd: ["sh", "-c", script], OpenStdin: true, StdinOnce: true },
    HostConfig: { NetworkMode: "none", Binds: [`${marks.path}:/marks`] },
  });
  const how = { stream: true, hijack: true, stdin: true, stdout: true };
  const stream: unknown = await container.attach(how);
  await container.start();
  const seen = marks.seen(id);
  (stream as Duplex).end(`${id}\n`); // What `hijack` asks for.
  const tookMs = (await seen) - from;
  await container.wait();
  await container.remove({ force: true });
  return tookMs;
}

async function dockerRun({ socketPath }: Engine, { image, marks }: Omit<Plain, "id">): Promise<number> {
  const id = marks.newId();
  const from = performance.now();
  const words = [
    "run",
    "--rm",
    "-i",
    "--network",
    "none",
    "-v",
    `${marks.path}:/marks`,
    image,
    "sh",
    "-c",
    script,
  ];
  const child: ChildProcess = spawn("docker", ["-H", `unix://${socketPath}`, ...words], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  child.stdin?.end(`${id}\n`);
  const tookMs = (await marks.seen(id)) - from;
  await once(child, "exit");
  return tookMs;
}

async function inParallel(count: number, most: number, work: () => Promise<unknown>): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: most }, worker));
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}
