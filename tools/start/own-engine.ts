/**
 * A Docker engine of this checkout's own, for machines without one. Its sockets, state and images are below
 * `.orchestrator/engine`. It has no default bridge and changes neither firewall nor forwarding: a runtime's own network has no
 * way out, and its published ports are served by the engine's proxy. So it harms no other engine, and leaves nothing when
 * it is taken down. It outlives npm start, as the workload does.
 */
import { execFile, spawn } from "node:child_process";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { engineAt, whyNoAnswer } from "./ask-engine.ts";
import { place } from "./place.ts";
import { end, isAlive, processes } from "./processes.ts";
import { type Say, Trouble } from "./say.ts";

const run = promisify(execFile);

const socket = join(place.engine, "docker.sock");
export const ownHost = `unix://${socket}`;

/** An engine answers in a second; on a machine that just installed it, in ten. */
const startMs = 60_000;
const stopMs = 20_000;
/** containerd's longest socket lies below run/, and the path of a socket has at most 107 bytes. */
const longestSocket = join(place.engine, "run/containerd/containerd.sock.ttrpc");

/** Starts it unless it runs; returns when it answers. @throws {Trouble} with the last lines of its log. */
export async function startOwnEngine(say: Say): Promise<void> {
  if ((await whyNoAnswer(ownHost)) === undefined) return;
  if (Buffer.byteLength(longestSocket) > 107) {
    throw new Trouble(
      `the path of this checkout is too long for the engine's sockets (${longestSocket}): move the checkout to a shorter path`,
    );
  }
  say(`starting an engine of this checkout's own; its images and state are in ${place.engine}`);
  await clearAfterBoot();
  const pid = await spawnEngine();
  const deadline = performance.now() + startMs;
  while ((await whyNoAnswer(ownHost)) !== undefined) {
    if (!(await isAlive(pid)) || performance.now() > deadline) {
      const { stdout } = await run("tail", ["-n", "5", place.log("engine")]);
      throw new Trouble(`the engine did not start; ${place.log("engine")} ends with:\n${stdout.trimEnd()}`);
    }
    await sleep(50);
  }
}

/** Stops it and removes all that it made: containers, networks, mounts, control groups, images. */
export async function removeOwnEngine(): Promise<void> {
  const running = await engineProcess();
  if (running !== undefined) {
    // Containers outlive the engine, so they go first; with their networks go the bridges of this machine.
    const docker = engineAt(ownHost);
    for (const { Id: id } of await docker.listContainers({ all: true })) {
      await docker.getContainer(id).remove({ force: true, v: true });
    }
    await docker.pruneNetworks();
    await end(running, stopMs);
  }
  const containerd = Number(
    await readFile(join(place.engine, "run/containerd/containerd.pid"), "utf8").catch(() => 0),
  );
  if (containerd > 0 && (await isAlive(containerd))) await end(containerd, stopMs);
  for (const path of await mountsBelow(place.engine)) await run("umount", ["-l", path]);
  const { stdout } = await run("find", [
    "/sys/fs/cgroup",
    "-depth",
    "-type",
    "d",
    "-path",
    `*/${await group()}*`,
  ]);
  for (const path of stdout.split("\n").filter(Boolean)) await run("rmdir", [path]).catch(() => {});
  await rm(place.engine, { recursive: true, force: true });
}

async function spawnEngine(): Promise<number> {
  await mkdir(place.engine, { recursive: true, mode: 0o700 });
  const settings = join(place.engine, "daemon.json");
  const config = {
    bridge: "none",
    iptables: false,
    "ip-forward": false,
    "ip-masq": false,
    // Containers outlive the engine, as they outlive everything else of ours.
    "live-restore": true,
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
  };
  await writeFile(settings, JSON.stringify(config, null, 2));
  await using log = await open(place.log("engine"), "a", 0o600);
  const child = spawn(
    "dockerd",
    [
      ...["--config-file", settings, "--host", ownHost, "--pidfile", join(place.engine, "docker.pid")],
      ...["--data-root", join(place.engine, "data"), "--exec-root", join(place.engine, "run")],
      // A system's containerd, if there is one, keeps ours apart by these.
      ...[
        "--containerd-namespace",
        await group(),
        "--containerd-plugins-namespace",
        `${await group()}-plugins`,
      ],
      ...["--cgroup-parent", `/${await group()}`],
    ],
    {
      // A session of its own: Ctrl-C in this terminal, and the end of it, are not for the engine.
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      env: { PATH: [process.env.PATH, "/usr/sbin", "/sbin"].join(delimiter) },
    },
  );
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => {});
  child.unref();
  return child.pid ?? (await failed);
}

/** What a machine's restart left behind looks to an engine like another that still runs. */
async function clearAfterBoot(): Promise<void> {
  const stamp = join(place.engine, "boot");
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
  const isSame = (await readFile(stamp, "utf8").catch(() => "")) === boot;
  if (!isSame) await rm(join(place.engine, "run"), { recursive: true, force: true });
  const containerd = join(place.engine, "run/containerd/containerd.pid");
  if (!(await isAlive(Number(await readFile(containerd, "utf8").catch(() => 0)))))
    await rm(containerd, { force: true });
  await rm(join(place.engine, "docker.pid"), { force: true });
  await mkdir(place.engine, { recursive: true, mode: 0o700 });
  await writeFile(stamp, boot);
}

/** The name of its control group and of its part of containerd: the same at each start of this checkout. */
async function group(): Promise<string> {
  const file = join(place.engine, "name");
  const kept = await readFile(file, "utf8").catch(() => undefined);
  if (kept !== undefined) return kept;
  const name = `orchestrator-${Math.random().toString(36).slice(2, 8)}`;
  await writeFile(file, name);
  return name;
}

async function engineProcess(): Promise<number | undefined> {
  const all = await processes();
  return all.find(({ words }) => words.includes(ownHost) && words.includes("--config-file"))?.pid;
}

async function mountsBelow(folder: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const paths = lines.map((line) => (line.split(" ")[4] ?? "").replaceAll("\\040", " "));
  // The last one mounted is the first one to go.
  return paths.filter((path) => path.startsWith(`${folder}/`)).reverse();
}
