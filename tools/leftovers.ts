/**
 * What tests must not leave behind. Everything a run makes on disk is below the run's own folder (TMPDIR), so whatever names
 * that folder afterwards is the run's: processes by their environment, arguments or working folder, and mounts.
 */
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";

export interface RunTraces {
  /** The run's TMPDIR. */
  folder: string;
  /** When the run began, as Date.now(). */
  startedAt: number;
}

/**
 * The names of everything that is still there after a grace: what was killed takes a moment to be gone, and an engine's
 * ground to be taken down. Returns at once when there is nothing.
 */
export async function leftBehind(traces: RunTraces, graceMs = 30_000): Promise<string[]> {
  const deadline = performance.now() + graceMs;
  for (;;) {
    const left = await lookAround(traces);
    if (left.length === 0 || performance.now() > deadline) return left;
    await sleep(100);
  }
}

async function lookAround({ folder, startedAt }: RunTraces): Promise<string[]> {
  const looks = [processesOf(folder), mountsIn(folder), filesIn(folder), namespacesSince(startedAt)];
  return (await Promise.all(looks)).flat();
}

/** What tests left in the engine that they shared. Images may stay: they are made once for all. */
export async function leftInEngine(docker: Docker): Promise<string[]> {
  const containers = await docker.listContainers({ all: true });
  const networks = await docker.listNetworks();
  const { Volumes: volumes } = await docker.listVolumes();
  return [
    ...containers.map(({ Names: names, State: state }) => `container ${names.join(" ")} (${state})`),
    ...networks
      .filter(({ Name: name }) => !["bridge", "host", "none"].includes(name))
      .map(({ Name: name }) => `network ${name}`),
    ...volumes.map(({ Name: name }) => `volume ${name}`),
  ];
}

async function processesOf(folder: string): Promise<string[]> {
  const found = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(async (pid) => {
        const [command, environment, cwd] = await Promise.all([
          readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
          readFile(`/proc/${pid}/environ`, "utf8").catch(() => ""),
          readlink(`/proc/${pid}/cwd`).catch(() => ""),
        ]);
        if (command === "" || ![command, environment, cwd].some((text) => text.includes(folder))) return [];
        const words = command.split("\0").join(" ").trim();
        return [`process ${pid}: ${words}${await listeningNote(pid)}`];
      }),
  );
  return found.flat();
}

/** The sockets on which a process listens, as in `, listening on port 7443`. */
async function listeningNote(pid: string): Promise<string> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const targets = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
  const inodes = new Set(targets.map((target) => target.match(/^socket:\[(\d+)\]$/)?.[1]));
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/${pid}/net/${name}`, "utf8").catch(() => "")),
  );
  const listening = "0A";
  const ports = tables
    .flatMap((table) => table.split("\n").slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === listening && inodes.has(columns[9]))
    .map((columns) => Number.parseInt(columns[1]?.split(":")[1] ?? "", 16));
  return ports.length === 0 ? "" : `, listening on port ${[...new Set(ports)].join(", ")}`;
}

async function mountsIn(folder: string): Promise<string[]> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  return mounts
    .map((line) => line.split(" ")[1] ?? "")
    .flatMap((at) => (at.startsWith(folder) ? [`mount ${at}`] : []));
}

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).map((name) => `file ${join(folder, name)}`);
}

/** Those of test engines (test/fixtures/engine.ts) made since, whose test and whose watch are both gone. */
async function namespacesSince(startedAt: number): Promise<string[]> {
  const names = (await readdir("/run/netns").catch(() => [])).filter((name) => name.startsWith("oe-"));
  const found = await Promise.all(
    names.map(async (name) => {
      const path = `/run/netns/${name}`;
      const madeAt = (await stat(path).catch(() => undefined))?.ctimeMs ?? 0;
      const test = name.split("-").at(-2);
      const watch = await readFile(`/tmp/orchestrator-engines/${name}/watch`, "utf8").catch(() => "");
      const isHeld = (await isThere(test)) || (await isThere(watch.trim()));
      return madeAt < startedAt || isHeld ? [] : [`network namespace ${name}`];
    }),
  );
  return found.flat();
}

async function isThere(pid: string | undefined): Promise<boolean> {
  if (!pid) return false;
  return await stat(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}
