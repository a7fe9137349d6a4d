/** Twenty runtimes at once: by the daemon, by plain calls of the engine, and by Docker Compose where that is installed. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Engine, startEngine } from "../test/fixtures/engine.ts";
import { tempFolder } from "../test/fixtures/folder.ts";
import { idleImage } from "../test/fixtures/images.ts";
import { cpuMs } from "../tools/measure/cpu.ts";
import { median } from "../tools/measure/spread.ts";
import { answerBeats, makeCrowd, makePlain, removeCrowd, removePlain, runtimesOf } from "./crowd.ts";
import { type Figure, figure, type Section } from "./figures.ts";
import { benchNode } from "./node.ts";

const run = promisify(execFile);
const count = 20;
const rounds = 5;
const many = 100;

export async function measure(): Promise<Section> {
  await using engine = await startEngine({ name: "bench" });
  const image = await idleImage(engine);
  await using node = await benchNode({ dockerHost: `unix://${engine.socketPath}` });
  const { process: daemon, stream } = await node.start();
  await stream.welcome();
  answerBeats(stream);
  const runtimes = runtimesOf(node);
  const enginePid = Number(await readFile(join(engine.dir, "docker.pid"), "utf8"));
  const [ours, plain, compose, cpu, engineCpu]: number[][] = [[], [], [], [], []];
  for (let round = 0; round < rounds; round++) {
    const before = [await cpuMs(daemon.pid ?? 0), await cpuMs(enginePid)] as const;
    ours?.push(await timeOf(() => makeCrowd(node, { image, count })));
    cpu?.push((await cpuMs(daemon.pid ?? 0)) - before[0]);
    engineCpu?.push((await cpuMs(enginePid)) - before[1]);
    await removeCrowd(runtimes);
    plain?.push(await timeOf(() => makePlain(engine, { image, count })));
    await removePlain(engine, count);
    const took = await composed(engine, image);
    if (took !== undefined) compose?.push(took);
  }
  const hundred = await timeOf(() => makeCrowd(node, { image, count: many }));
  const base = (values: number[] = []) => ({ base: median(values) });
  const withCompose: Figure = compose?.length
    ? figure(`${count} runtimes, against docker-compose up`, median(ours ?? []), "ms", base(compose))
    : {
        ...{ what: "docker-compose up", baseline: "", ratio: "", aim: "" },
        measured: "is not installed: apt-get install docker-compose",
      };
  return {
    title: "Many runtimes at once",
    how: `${count} runtimes, each with a network and a volume, are applied at once (ApplyWishes over the daemon's socket), until each has run for the 500 ms that a create watches its program; against the same objects by plain calls of the engine, four at once, until all are started, and against \`docker-compose up\`; in turns, ${rounds} times. The engine alone would have address ranges for 30 networks. CPU is user and system time of the daemon, against dockerd's in the same time.`,
    figures: [
      figure(`${count} runtimes, against plain calls`, median(ours ?? []), "ms", base(plain)),
      withCompose,
      figure(
        `${count} runtimes: CPU of the daemon, against the engine's`,
        median(cpu ?? []),
        "ms",
        base(engineCpu),
      ),
      figure(`${many} runtimes, each`, hundred / many, "ms", { base: median(ours ?? []) / count }),
    ],
  };
}

/** `docker-compose up` of the same; undefined when there is none. */
async function composed(engine: Engine, image: string): Promise<number | undefined> {
  using folder = tempFolder();
  const names = Array.from({ length: count }, (_, at) => `plain-${at}`);
  const each = (text: (name: string) => string) => names.map(text).join("");
  const file = `version: "2.4"
services:
${each((name) => `  ${name}: { image: "${image}", networks: [${name}], volumes: ["${name}:/data"], restart: always }\n`)}
networks:
${each((name) => `  ${name}: { internal: true }\n`)}
volumes:
${each((name) => `  ${name}: {}\n`)}`;
  await writeFile(join(folder.path, "docker-compose.yaml"), file);
  const env = { PATH: process.env.PATH ?? "", DOCKER_HOST: `unix://${engine.socketPath}`, HOME: folder.path };
  const compose = (...args: string[]) =>
    run("docker-compose", ["-p", "bench", ...args], { env, cwd: folder.path });
  try {
    await compose("version");
  } catch {
    return undefined;
  }
  const took = await timeOf(() => compose("up", "-d"));
  await compose("down", "--volumes", "--timeout", "1");
  return took;
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}
