import { access, readFile } from "node:fs/promises";
import { get } from "node:http";
import { text } from "node:stream/consumers";
import * as v from "valibot";
import type { Runtime } from "../../../gen/edge/v1/runtimes_pb.ts";
import { errorChain, failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { label } from "../../wire/labels.ts";
import type { EngineFacts } from "./facts.ts";

/** Where the engine is: where the daemon says, or as usual when that is a path in the daemon's own container. */
export async function hostOfEngine(env: NodeJS.ProcessEnv, told: string | undefined): Promise<string> {
  if (told && (await isThere(told))) return told;
  return env.ORCHESTRATOR_DOCKER_HOST || env.DOCKER_HOST || "unix:///var/run/docker.sock";
}

/** Whether an engine's socket is in this program's file system; an address is everywhere. */
async function isThere(host: string): Promise<boolean> {
  if (!host.startsWith("unix://")) return host !== "";
  return await access(host.slice("unix://".length)).then(
    () => true,
    () => false,
  );
}

/** Asks the engine itself, without the daemon. `host` is `unix:///path` or `tcp://host:port`. @throws {Failure} */
export async function askEngine(host: string, path: string, signal: AbortSignal): Promise<unknown> {
  const isSocket = host.startsWith("unix://");
  const url = isSocket ? `http://engine${path}` : `${host.replace(/^tcp:/, "http:")}${path}`;
  const socketPath = isSocket ? { socketPath: host.slice("unix://".length) } : {};
  try {
    const answered = Promise.withResolvers<string>();
    const request = get(url, { signal, ...socketPath }, (response) => {
      text(response).then(answered.resolve, answered.reject);
    });
    request.on("error", answered.reject);
    return JSON.parse(await answered.promise);
  } catch (cause) {
    if (systemCode(cause) === "EACCES")
      throw failure("denied", `this user may not use the engine at ${host}`, { cause });
    throw failure("unavailable", `no engine answers at ${host}: ${errorChain(cause)}`, { cause });
  }
}

const optionalText = v.optional(v.string(), "");
const infoSchema = v.object({
  Driver: v.string(),
  CgroupVersion: optionalText,
  CgroupDriver: optionalText,
  MemoryLimit: v.optional(v.boolean(), false),
  LiveRestoreEnabled: v.optional(v.boolean(), false),
  DockerRootDir: optionalText,
  PidsLimit: v.optional(v.boolean(), false),
  CpuCfsQuota: v.optional(v.boolean(), false),
  SwapLimit: v.optional(v.boolean(), false),
  SecurityOptions: v.nullish(v.array(v.string())),
  BuildahVersion: optionalText,
  Runtimes: v.nullish(v.record(v.string(), v.unknown())),
});

/** The engine's version. @throws {Failure} none answers. */
export async function engineVersion(host: string, signal: AbortSignal): Promise<string> {
  const parsed = v.safeParse(v.object({ Version: v.string() }), await askEngine(host, "/version", signal));
  if (!parsed.success) throw failure("unavailable", `what answers at ${host} is no container engine`);
  return parsed.output.Version;
}

/** What the engine says of itself. @throws {Failure} */
export async function engineInfo(host: string, signal: AbortSignal): Promise<EngineFacts> {
  const parsed = v.safeParse(infoSchema, await askEngine(host, "/info", signal));
  if (!parsed.success) throw failure("unavailable", `what answers at ${host} says nothing of itself`);
  const info = parsed.output;
  return {
    storageDriver: info.Driver,
    cgroupVersion: info.CgroupVersion,
    cgroupDriver: info.CgroupDriver,
    hasMemoryLimit: info.MemoryLimit,
    liveRestore: info.LiveRestoreEnabled,
    rootDir: info.DockerRootDir,
    missingForAgents: missingForAgents(info),
    runtimes: Object.keys(info.Runtimes ?? {}).sort(),
    limitsSwap: info.SwapLimit,
    tellsCalls: await tellsCalls(info),
  };
}

/** Without one of these the daemon starts no agent. */
function missingForAgents(info: v.InferOutput<typeof infoSchema>): string[] {
  const seccomp = info.SecurityOptions?.find((option) => option.includes("name=seccomp"));
  const needed: [boolean, string][] = [
    [seccomp !== undefined && !seccomp.includes("profile=unconfined"), "seccomp"],
    [info.MemoryLimit, "memory limits"],
    [info.PidsLimit, "limits of processes"],
    [info.CpuCfsQuota, "CPU limits"],
  ];
  return needed.filter(([isThere]) => !isThere).map(([, word]) => word);
}

/** The daemon decides it in the same way: by the kernel's filters, and by whether the engine would take a profile for them. */
async function tellsCalls({ SecurityOptions, BuildahVersion }: v.InferOutput<typeof infoSchema>) {
  const isUsual = SecurityOptions?.some((option) => /^name=seccomp,profile=(builtin|default)$/.test(option));
  const actions = await readFile("/proc/sys/kernel/seccomp/actions_avail", "utf8").catch(() => "");
  return (
    isUsual === true && BuildahVersion === "" && /\buser_notif\b/.test(actions) && /\btrace\b/.test(actions)
  );
}

const labelled = v.object({
  Id: v.optional(v.string()),
  Name: v.optional(v.string()),
  Names: v.optional(v.array(v.string())),
  Labels: v.nullish(v.record(v.string(), v.string())),
});
const listSchema = v.array(labelled);

/** The objects with our labels that belong to none of these runtimes. @throws {Failure} */
export async function findLeftovers(
  host: string,
  runtimes: readonly Pick<Runtime, "spec" | "containerId">[],
  signal: AbortSignal,
): Promise<string[]> {
  const ask = async (path: string) => await askEngine(host, withLabel(path), signal);
  const [containers, networks, volumes] = await Promise.all([
    ask("/containers/json?all=1&"),
    ask("/networks?"),
    ask("/volumes?"),
  ]);
  const inVolumes = v.parse(v.object({ Volumes: v.nullish(listSchema) }), volumes).Volumes ?? [];
  const all = [
    ...v.parse(listSchema, containers).map((one) => ({ kind: "container", ...one })),
    ...v.parse(listSchema, networks).map((one) => ({ kind: "network", ...one })),
    ...inVolumes.map((one) => ({ kind: "volume", ...one })),
  ];
  return ofNobody(all, runtimes).map(
    ({ kind, Name, Names }) => `${kind} ${Name ?? Names?.[0]?.replace(/^\//, "") ?? "without a name"}`,
  );
}

/**
 * Two daemons may share an engine: which instance is ours, the containers of our runtimes tell.
 * @throws {Failure} They are not on this engine.
 */
function ofNobody<T extends v.InferOutput<typeof labelled>>(
  all: readonly T[],
  runtimes: readonly Pick<Runtime, "spec" | "containerId">[],
): T[] {
  const ids = new Set(runtimes.map(({ containerId }) => containerId).filter((id) => id !== ""));
  const names = new Set(runtimes.map(({ spec }) => spec?.name));
  const own = all.find(({ Id }) => Id !== undefined && ids.has(Id))?.Labels?.[label.instance];
  if (own === undefined && ids.size > 0) {
    throw failure("unavailable", "the runtimes of this daemon are not on the engine that is seen from here");
  }
  return all.filter(({ Labels }) => {
    if (Labels?.[label.cell] !== undefined || Labels?.[label.holder] !== undefined) return false; // Of agents.
    const isOwn = own === undefined || Labels?.[label.instance] === own;
    // Cells of agents come and go, and the daemon sees to them.
    const isOfAgents = Labels?.[label.cell] !== undefined || Labels?.[label.holder] !== undefined;
    return !isOwn || !(isOfAgents || names.has(Labels?.[label.runtime] ?? ""));
  });
}

function withLabel(path: string): string {
  return `${path}filters=${encodeURIComponent(JSON.stringify({ label: [label.instance] }))}`;
}
