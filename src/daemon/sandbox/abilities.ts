import { failure } from "../../base/failure.ts";

/** What the engine says of itself, as far as cells depend on it; some engines leave things out. */
export interface EngineInfo {
  Runtimes?: Record<string, { path?: string }> | null;
  DefaultRuntime?: string;
  SecurityOptions?: readonly string[] | null;
  DockerRootDir?: string;
  MemoryLimit?: boolean;
  PidsLimit?: boolean;
  CpuCfsQuota?: boolean;
  /** Podman says it, and no other. */
  BuildahVersion?: string;
}

/** What cells can be on this node. */
export interface Abilities {
  /** Levels of isolation, as a manifest names them. */
  isolations: readonly string[];
  /** What the engine does not do, as words; no cell is made then. */
  lacks: readonly string[];
  /** Where the engine keeps its own. */
  rootFolder: string;
}

/** Programs by which a container is a group of processes in namespaces of this kernel: what binds a namespace, binds it. */
const ofThisKernel = ["runc", "crun", "youki"];

/** What follows from what the engine says. */
export function abilitiesOf(info: EngineInfo): Abilities {
  const named = Object.keys(info.Runtimes ?? {}).sort();
  const hasSeccomp = (info.SecurityOptions ?? []).some(
    (option) => option.includes("name=seccomp") && !option.includes("profile=unconfined"),
  );
  const needed: [boolean | undefined, string][] = [
    [hasSeccomp, "seccomp"],
    [info.MemoryLimit, "memory limits"],
    [info.PidsLimit, "limits of processes"],
    [info.CpuCfsQuota, "CPU limits"],
  ];
  return {
    isolations: ["container", ...named.map((name) => `oci:${name}`)],
    lacks: needed.filter(([isThere]) => isThere !== true).map(([, word]) => word),
    rootFolder: info.DockerRootDir ?? "/var/lib/docker",
  };
}

/**
 * Whether refused system calls can be told on this node: the kernel lets a filter ask, and the engine takes our profile. One of
 * the owner's own is not replaced, and Podman takes the name of a file only; there all is refused as ever, and what their profile
 * refuses is told to nobody.
 * @param actions what a filter may do, in the kernel's words.
 */
export function tellsCallsOn({ SecurityOptions, BuildahVersion }: EngineInfo, actions: string): boolean {
  const words = actions.trim().split(/\s+/);
  const isUsual = (SecurityOptions ?? []).some((option) =>
    /^name=seccomp,profile=(builtin|default)$/.test(option),
  );
  return isUsual && BuildahVersion === undefined && words.includes("user_notif") && words.includes("trace");
}

/** How a cell of this isolation is made. */
export interface Making {
  /** The engine's name of the program that makes it; its usual one when undefined. */
  runtime: string | undefined;
  /** Whether it joins a network namespace that was made before; else it gets an own one, without any network. */
  joins: boolean;
}

/**
 * How a cell of this isolation is made on an engine. What is not there is refused, and never replaced by less.
 * @throws {Failure} unsupported.
 */
export function makingOf(
  { isolation, hasNetwork }: { isolation: string; hasNetwork: boolean },
  info: EngineInfo,
): Making {
  const { isolations, lacks } = abilitiesOf(info);
  if (lacks.length > 0) {
    const sentence = `no agent can run on this engine, which has no ${lacks.join(", no ")}`;
    throw failure("unsupported", `${sentence}: orchestrator doctor says more`);
  }
  const wanted = isolation === "" ? "container" : isolation;
  if (!isolations.includes(wanted)) {
    throw failure("unsupported", `this node has no isolation ${wanted}: it has ${isolations.join(", ")}`);
  }
  const runtime = wanted === "container" ? undefined : wanted.slice("oci:".length);
  const path = info.Runtimes?.[runtime ?? info.DefaultRuntime ?? "runc"]?.path ?? "";
  const isOfThisKernel = ofThisKernel.includes(path.slice(path.lastIndexOf("/") + 1));
  // Another kernel's network is not bound by the rules of a namespace of this one.
  if (hasNetwork && !isOfThisKernel) {
    const sentence = `an agent with isolation ${wanted} can have no network: nothing would hold it to its list`;
    throw failure("unsupported", `${sentence}. Leave spec.network out, or choose container`);
  }
  return { runtime, joins: isOfThisKernel };
}
