/** Cells: how soon an agent's program runs, and what one costs that waits. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import type { Cell } from "../src/daemon/sandbox/index.ts";
import { askAhead, openRoom } from "../test/daemon/sandbox/room.ts";
import { type Engine, startEngine } from "../test/fixtures/engine.ts";
import { busyboxImage } from "../test/fixtures/images.ts";
import { median, quantile } from "../tools/measure/spread.ts";
import { type Figure, figure, type Section } from "./figures.ts";

const rounds = 40;
const crowd = 50;
/** Says that it is there, and answers its input. */
const program = ["/bin/sh", "-c", "echo here; cat"];

export async function measure(): Promise<Section> {
  await using engine = await startEngine({ name: "bench" });
  const image = await busyboxImage(engine);
  const folder = await mkdtemp(join(tmpdir(), "bench-cells-"));
  const heard = new Heard();
  await using room = openRoom(folder, engine, { ahead: 4, log: heard.log });
  const { sandboxes } = room;
  const signal = AbortSignal.timeout(900_000);
  const start = async () =>
    await sandboxes.start(await askAhead(room.engine, { image, entrypoint: program }), signal);

  const cold: Record<"ours" | "run" | "plain", number[]> = { ours: [], run: [], plain: [] };
  const warm: Record<"ours" | "plain", number[]> = { ours: [], plain: [] };
  await sandboxes.remove(await start(), signal); // What is made once is made.
  for (let round = 0; round < rounds; round++) {
    const from = performance.now();
    const cell = await start();
    cold.ours.push((await heard.next(cell)) - from);
    const given = performance.now();
    const answered = heard.next(cell);
    await sandboxes.give(cell, Buffer.from("ask\n"), signal);
    warm.ours.push((await answered) - given);
    await sandboxes.ended(cell, signal);
    await sandboxes.remove(cell, signal);

    const plain = await plainContainer(engine, image);
    cold.plain.push(plain.startedMs);
    warm.plain.push(await plain.answer());
    cold.run.push(await dockerRun(engine, image));
    await sleep(300); // A namespace is made ahead meanwhile.
  }

  const before = await residentOf(engine);
  const cells: Cell[] = [];
  for (let at = 0; at < crowd; at++) {
    const cell = await start();
    await heard.next(cell);
    cells.push(cell);
  }
  const perCell = ((await residentOf(engine)) - before) / crowd;
  const from = performance.now();
  const answers = cells.map((cell) => heard.next(cell));
  await Promise.all(cells.map((cell) => sandboxes.give(cell, Buffer.from("ask\n"), signal)));
  const burst = Math.max(...(await Promise.all(answers))) - from;
  await rm(folder, { recursive: true, force: true });

  return {
    title: "Cells of agents",
    how: `Cold: from asking for a cell until the daemon has the first byte that its program writes, the shell of busybox, fully confined. The baselines have no network either: \`docker run\` from its spawn, and the engine's own calls (create, attach, start) from this process, without any other confinement. Warm: from handing the input over until the first byte of the answer; the baseline is a container of the same engine on whose standard input the same is written. ${rounds} times in turns. A waiting cell: the proportional memory of all of the engine's processes and those in cells, ${crowd} cells against none.`,
    figures: [
      ...quantiles("cold, against docker run", cold.ours, cold.run, "p50 < 100 ms"),
      ...quantiles("cold, against plain engine calls", cold.ours, cold.plain, ""),
      ...quantiles("warm, against plain engine calls", warm.ours, warm.plain, "p50 < 5 ms"),
      figure(`${crowd} warm cells at once, until all have answered`, burst, "ms", { aim: "< 100 ms" }),
      figure("memory of a waiting cell, with its share of the engine", perCell / 2 ** 20, "MiB"),
    ],
  };
}

function quantiles(what: string, ours: number[], base: number[], aim: string): Figure[] {
  return [
    figure(`${what}: p50`, median(ours), "ms", { base: median(base), aim }),
    figure(`${what}: p99`, quantile(ours, 0.99), "ms", { base: quantile(base, 0.99) }),
  ];
}

/** Hears what programs write, as a daemon does whose log is at level debug. */
class Heard {
  readonly #atMs = new Map<string, number[]>();
  readonly #waiting = new Map<string, (atMs: number) => void>();
  readonly log = pino({ level: "debug" }, { write: (line) => this.#hear(line) });

  /** When a cell's next line came. */
  next({ id }: Cell): Promise<number> {
    const known = this.#atMs.get(id)?.shift();
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #hear(text: string): void {
    const atMs = performance.now();
    const { cell = "" } = JSON.parse(text) as { cell?: string };
    const waiting = this.#waiting.get(cell);
    this.#waiting.delete(cell);
    if (waiting) waiting(atMs);
    else this.#atMs.set(cell, [...(this.#atMs.get(cell) ?? []), atMs]);
  }
}

/** The same program by the engine's own calls. */
async function plainContainer({ docker }: Engine, Image: string) {
  const from = performance.now();
  const container = await docker.createContainer({
    ...{ Image, Entrypoint: program, OpenStdin: true, StdinOnce: true },
    HostConfig: { NetworkMode: "none" },
  });
  const how = { stream: true, hijack: true, stdin: true, stdout: true };
  const stream: unknown = await container.attach(how);
  const streams = stream as Duplex; // What `hijack` asks for.
  const here = once(streams, "data");
  await container.start();
  await here;
  const startedMs = performance.now() - from;
  return {
    startedMs,
    async answer(): Promise<number> {
      const given = performance.now();
      const answered = once(streams, "data");
      streams.end("ask\n");
      await answered;
      const tookMs = performance.now() - given;
      await container.remove({ force: true });
      return tookMs;
    },
  };
}

async function dockerRun({ socketPath }: Engine, image: string): Promise<number> {
  const from = performance.now();
  const words = [
    "-H",
    `unix://${socketPath}`,
    "run",
    "--rm",
    "--network",
    "none",
    "--entrypoint",
    "/bin/echo",
  ];
  const child = spawn("/usr/bin/docker", [...words, image, "here"], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const tookMs = performance.now() - from;
  await once(child, "exit");
  return tookMs;
}

/** The proportional memory of all processes of an engine, those in its containers too, in bytes. */
async function residentOf({ dir }: Engine): Promise<number> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const sizes = pids.map(async (pid) => {
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
    const [line, groups] = [await read("cmdline"), await read("cgroup")];
    if (!line.includes(dir) && !groups.includes(dir.slice(dir.lastIndexOf("/")))) return 0;
    return Number(/^Pss:\s+(\d+) kB$/m.exec(await read("smaps_rollup"))?.[1] ?? 0) * 1024;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
