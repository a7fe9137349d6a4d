/** What a connected node costs the hub: memory while idle, CPU per beat. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../src/base/clock.ts";
import { openLog } from "../src/base/log.ts";
import { openAuthority } from "../src/hub/enrolment/index.ts";
import { Fleet, fleetSchema } from "../src/hub/fleet/index.ts";
import { SqliteStore } from "../src/hub/store/index.ts";
import { tempFolder } from "../test/fixtures/folder.ts";
import { cpuMs } from "./cpu.ts";
import { type Figure, figure, type Section } from "./figures.ts";

const fleets = [1_000, 5_000];
/** How long beats are counted, in milliseconds. */
const windowMs = 30_000;

const bundle = new URL("../dist/orchestrator.js", import.meta.url).pathname;
const here = (name: string) => new URL(name, import.meta.url).pathname;

interface Cost {
  kbPerNode: number;
  microsPerBeat: number;
}

export async function measure(): Promise<Section> {
  const figures: Figure[] = [];
  for (const nodes of fleets) {
    process.stderr.write(`bench: ${nodes} nodes\n`);
    const bare = await costOf(nodes, startBare);
    const hub = await costOf(nodes, startHub);
    figures.push(
      figure(`${nodes} nodes: memory per node`, hub.kbPerNode, "kB", { base: bare.kbPerNode }),
      figure(`${nodes} nodes: CPU per beat`, hub.microsPerBeat, "µs", { base: bare.microsPerBeat }),
    );
  }
  return {
    title: "The hub",
    how: `The bundle's hub with fake nodes in another process, over mTLS. Memory: resident with all nodes connected and beating, minus before the first. CPU: user and system time of ${windowMs / 1000} s, over the beats in it; each beat is answered. The baseline is grpc-js with the same certificates and answers, and nothing behind it.`,
    figures,
  };
}

interface Server {
  process: ChildProcess;
  port: number;
}

async function costOf(
  nodes: number,
  start: (folder: string, nodes: number) => Promise<Server>,
): Promise<Cost> {
  using folder = tempFolder();
  const { process: server, port } = await start(folder.path, nodes);
  const pid = server.pid ?? 0;
  try {
    await sleep(3_000);
    const before = await residentKb(pid);
    const fakes = fork(here("fakes.ts"), [String(port), join(folder.path, "ca"), String(nodes)]);
    try {
      let beats = 0;
      await new Promise<void>((resolve, reject) => {
        fakes.on("message", (told: { allConnected?: true; beats?: number }) => {
          beats = told.beats ?? beats;
          if (told.allConnected) resolve();
        });
        fakes.once("exit", () => reject(new Error("the fake nodes ended")));
      });
      await sleep(15_000); // Until the garbage of the handshakes is collected and every node has its pace.
      const [beats0, cpu0] = [beats, (await cpuMs(pid)) * 1000];
      await sleep(windowMs);
      const microsPerBeat = ((await cpuMs(pid)) * 1000 - cpu0) / (beats - beats0);
      return { kbPerNode: ((await residentKb(pid)) - before) / nodes, microsPerBeat };
    } finally {
      fakes.removeAllListeners("exit");
      fakes.kill();
    }
  } finally {
    server.kill("SIGKILL");
    await once(server, "exit");
  }
}

async function startBare(folder: string): Promise<Server> {
  await openAuthority({ folder: join(folder, "ca"), trustDomain: "", now: Date.now });
  const child = spawn(process.execPath, [here("bare-line.ts"), join(folder, "ca")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { process: child, port: Number(line) };
}

/** A hub whose fleet is there already: enrolling thousands one by one is another benchmark. */
async function startHub(folder: string, nodes: number): Promise<Server> {
  await openAuthority({ folder: join(folder, "ca"), trustDomain: "", now: Date.now });
  {
    await using store = SqliteStore.open(join(folder, "hub.db"), [fleetSchema], Date.now);
    const log = openLog({ program: "bench", level: "silent", format: "json" });
    const fleet = await Fleet.open({ store, clock: systemClock, log });
    const at = Date.now();
    const enrol = (index: number) =>
      fleet.enrolled({
        nodeId: `n-bench-${index}`,
        hostName: "",
        serial: "00",
        expiresAt: at + 3_600_000,
        at,
      });
    await Promise.all(Array.from({ length: nodes }, (_, index) => enrol(index)));
  }
  const port = 20_000 + (process.pid % 10_000);
  const env = {
    PATH: process.env.PATH ?? "",
    ORCHESTRATOR_HUB_DATA_DIR: folder,
    ORCHESTRATOR_HUB_LINE_PORT: String(port),
    ORCHESTRATOR_HUB_API_PORT: "0",
    ORCHESTRATOR_LOG_LEVEL: "warn",
  };
  const child = spawn(process.execPath, [bundle, "hub", "start"], {
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  await untilListening(port);
  return { process: child, port };
}

async function untilListening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const isUp = await Promise.race([
      once(socket, "connect").then(
        () => true,
        () => false,
      ),
    ]);
    socket.destroy();
    if (isUp) return;
    await sleep(100);
  }
}

async function residentKb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
}
