import type Docker from "dockerode";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { label } from "../../wire/labels.ts";
import { seccompProfile } from "./calls/profile.ts";
import type { CellAsk, ProvidedMount } from "./cell.ts";
import { ownFolder } from "./check.ts";
import type { CellImage } from "./image.ts";
import { limitsOf, memoryFolders, shmBytes } from "./resources.ts";

/** What a cell's container is made from. */
export interface CellPlan {
  ask: CellAsk;
  image: CellImage;
  instanceId: string;
  /** The cell's own folder, as the engine sees it. */
  folder: string;
  /** What providers add, with sources as the engine sees them. */
  mounts: readonly ProvidedMount[];
  env: Readonly<Record<string, string>>;
  /** The container whose network namespace it joins; without one it gets an own, empty one. */
  holderId: string | undefined;
  /** The engine's name of the program that makes containers; its usual one when undefined. */
  runtime: string | undefined;
  isDebug: boolean;
  /** Whether system calls that are refused can be told: then the engine's profile makes room for the filter that tells. */
  tellsCalls: boolean;
}

/** The user and the group that a cell's program has, unless its manifest says otherwise: nobody's. */
const usualUser = 65_532;

/** As whom a cell's program runs. */
export function userOf({ userId }: Pick<AgentSpec, "userId">): number {
  return userId || usualUser;
}

/** A period of 100 ms is the kernel's own: a program that has used up its quota stands still until the next one. */
const quotaPeriodUs = 100_000;

/**
 * A cell's container. All that confines it is said here, and nowhere else: what is not given is forbidden. What an engine confines
 * by itself (AppArmor or SELinux, masked paths) stays as it is; instead of its seccomp profile it gets one of ours that lets nothing
 * through that the engine's would not, where the engine takes one.
 */
export function cellOptions(plan: CellPlan): Docker.ContainerCreateOptions {
  const { ask, image, instanceId } = plan;
  const { spec } = ask;
  const { pids, memoryBytes, cpuMillis } = limitsOf(spec);
  const user = userOf(spec);
  return {
    name: containerName(instanceId, ask.id),
    // In another container's namespace it has that one's name.
    ...(plan.holderId === undefined && { Hostname: "cell" }),
    Image: ask.imageId,
    ...{ Entrypoint: [initPath, foldersOf(spec, image)], Cmd: programOf(spec, image) },
    User: `${user}:${user}`,
    Env: envOf(plan),
    Labels: labelsOf(plan),
    Healthcheck: { Test: ["NONE"] },
    StopSignal: "SIGTERM",
    // One task's input, then its end. Whoever gives it is gone, so is the input: its first process sees to it (init.c).
    ...{ OpenStdin: true, StdinOnce: true, Tty: false },
    ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true },
    HostConfig: {
      NetworkMode: plan.holderId === undefined ? "none" : `container:${plan.holderId}`,
      ...(plan.runtime !== undefined && { Runtime: plan.runtime }),
      RestartPolicy: { Name: "no" },
      ...{ Privileged: false, PublishAllPorts: false, AutoRemove: false },
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges", ...(plan.tellsCalls ? [`seccomp=${seccompProfile()}`] : [])],
      ReadonlyRootfs: true,
      ...{ IpcMode: "private", CgroupnsMode: "private" },
      // One more process than its own: the first.
      ...{ PidsLimit: pids + 1, Memory: memoryBytes, MemorySwap: memoryBytes },
      ...{ CpuPeriod: quotaPeriodUs, CpuQuota: Math.max((cpuMillis * quotaPeriodUs) / 1000, 1000) },
      // When the node itself runs out of memory, cells go before runtimes.
      OomScoreAdj: 500,
      Ulimits: [
        { Name: "core", Soft: 0, Hard: 0 },
        { Name: "nofile", Soft: 1024, Hard: 4096 },
        // The kernel counts these by user, and all cells have the same one.
        { Name: "msgqueue", Soft: 0, Hard: 0 },
      ],
      ShmSize: shmBytes,
      Tmpfs: tmpfsOf(spec, image),
      Mounts: mountsOf(plan),
      // The engine's other format keeps no bytes that are not text.
      LogConfig: { Type: "local", Config: logLimitsOf(spec) },
    },
  };
}

/** The first process of every cell: see init.c. */
const initPath = `${ownFolder}/init`;

/** The name of a cell's container. */
export function containerName(instanceId: string, cellId: string): string {
  return `edge-cell-${instanceId.slice(0, 8)}-${cellId.replace(/^cell-/, "")}`;
}

/** The program and its arguments: the manifest's where it says something, the image's own where it does not. */
export function programOf(spec: AgentSpec, image: Pick<CellImage, "entrypoint" | "command">): string[] {
  const entrypoint = spec.entrypoint.length > 0 ? spec.entrypoint : image.entrypoint;
  if (spec.script !== "") return [...entrypoint, ...spec.command, scriptPath];
  if (spec.command.length > 0) return [...entrypoint, ...spec.command];
  return spec.entrypoint.length > 0 ? [...entrypoint] : [...entrypoint, ...image.command];
}

/** Where a manifest's own program is seen. */
const scriptPath = `${ownFolder}/agent/script`;

function envOf({ ask, env, isDebug }: CellPlan): string[] {
  const all: Record<string, string> = {
    ...Object.fromEntries(ask.spec.env.map(({ name, value }) => [name, value])),
    ...env,
    ORCHESTRATOR_AGENT: ask.agent,
    ORCHESTRATOR_BROKER: `${ownFolder}/broker.sock`,
    ORCHESTRATOR_SECRETS: `${ownFolder}/secrets`,
    ...(isDebug && { ORCHESTRATOR_DEBUG: "true" }),
  };
  return Object.entries(all).map(([name, value]) => `${name}=${value}`);
}

function labelsOf({ ask, instanceId }: CellPlan): Record<string, string> {
  return {
    ...Object.fromEntries(ask.spec.labels.map(({ key, value }) => [key, value])),
    [label.instance]: instanceId,
    [label.cell]: ask.id,
    [label.agent]: ask.agent,
    [label.agentVersion]: String(ask.version),
    [label.command]: ask.commandId,
  };
}

/** File systems that the first process looks at in the end. */
function foldersOf(spec: AgentSpec, image: CellImage): string {
  return [...memoryFolders(spec, image.volumes).folders.map(({ path }) => path), "/dev/shm"].join(":");
}

/**
 * No program is run from them: a cell runs what its image and its manifest bring. A file of a byte takes a page and an inode,
 * so inodes are bounded with the size.
 */
function tmpfsOf(spec: AgentSpec, image: CellImage): Record<string, string> {
  const options = (size: number) =>
    `rw,noexec,nosuid,nodev,mode=1777,size=${size},nr_inodes=${Math.max(64, Math.ceil(size / 4096))}`;
  const { folders } = memoryFolders(spec, image.volumes);
  return Object.fromEntries(folders.map(({ path, sizeBytes }) => [path, options(sizeBytes)]));
}

/** Mounts, never binds: those make a folder that is not there. What is mounted below a folder of the node is not seen. */
function mountsOf({ ask, folder, mounts }: CellPlan): Docker.MountSettings[] {
  const all: ProvidedMount[] = [
    { source: folder, target: ownFolder, readOnly: true },
    ...mounts,
    ...ask.spec.mounts.map(({ nodePath, path, writable }) => ({
      ...{ source: nodePath, target: path, readOnly: !writable },
    })),
  ];
  return all.map(({ source, target, readOnly }) => ({
    ...{ Type: "bind", Source: source, Target: target, ReadOnly: readOnly },
    BindOptions: { Propagation: "rprivate", NonRecursive: true },
  }));
}

function logLimitsOf({ log }: AgentSpec): Record<string, string> {
  return {
    compress: "false",
    "max-size": String(log?.fileBytes || 10_000_000n),
    "max-file": String(log?.files || 3),
  };
}
