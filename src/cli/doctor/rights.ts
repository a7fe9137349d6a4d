import { readFile } from "node:fs/promises";
import { type Process, processes, startedAs } from "./processes.ts";

/** What engine and netmon need of root's capabilities, and their numbers (linux/capability.h). */
const capabilities = {
  NET_ADMIN: 12,
  NET_RAW: 13,
  SYS_PTRACE: 19,
  SYS_ADMIN: 21,
  SYS_NICE: 23,
  SYS_RESOURCE: 24,
  MKNOD: 27,
} as const;
type Capability = keyof typeof capabilities;

const ofNetmon: readonly Capability[] = ["NET_ADMIN", "NET_RAW", "SYS_PTRACE", "SYS_ADMIN", "MKNOD"];

/** Those that not even the machine's first process could pass on. */
export async function missingCapabilities(): Promise<string[]> {
  const has = capabilitiesIn(await readFile("/proc/1/status", "utf8"), "CapBnd");
  if (!has) throw new Error("the machine's first process does not show its rights");
  return Object.keys(capabilities).filter((one) => !has.has(one));
}

/** The process of netmon, and what it lacks of its rights. */
export async function lookAtNetmon(): Promise<{ pid: number; missing: string[] } | undefined> {
  const found = startedAs(await processes(), "netmon");
  if (!found) return undefined;
  const has = await effective(found.pid);
  return { pid: found.pid, missing: ofNetmon.filter((one) => !has.has(one)) };
}

/** What the engine may give a runtime: its own hard limits, or any when it may raise them. @throws {Error} no engine is seen. */
export async function lookAtLimits(all?: readonly Process[]) {
  const engine = (all ?? (await processes())).find(({ name }) => name === "dockerd");
  if (!engine) throw new Error("no process of the engine is seen from here");
  const [limits, runtimeUs, has] = await Promise.all([
    readFile(`/proc/${engine.pid}/limits`, "utf8"),
    readFile("/proc/sys/kernel/sched_rt_runtime_us", "utf8"),
    effective(engine.pid),
  ]);
  return {
    rtprio: hardLimit(limits, "Max realtime priority"),
    memlock: hardLimit(limits, "Max locked memory"),
    mayRaise: has.has("SYS_RESOURCE"),
    rtRuntimeUs: Number(runtimeUs),
  };
}

function hardLimit(limits: string, name: string): number {
  const [, hard] = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, "m").exec(limits) ?? [];
  return hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard ?? 0);
}

async function effective(pid: number): Promise<Set<string>> {
  const has = capabilitiesIn(await readFile(`/proc/${pid}/status`, "utf8"), "CapEff");
  if (!has) throw new Error(`process ${pid} does not show its rights`);
  return has;
}

function capabilitiesIn(status: string, set: "CapBnd" | "CapEff"): Set<string> | undefined {
  const [, bits] = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, "m").exec(status) ?? [];
  if (bits === undefined) return undefined;
  const has = BigInt(`0x${bits}`);
  const held = Object.entries(capabilities).filter(([, number]) => ((has >> BigInt(number)) & 1n) === 1n);
  return new Set(held.map(([name]) => name));
}
