import { dirname } from "node:path";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { GetSealingKeyResponse } from "../../../gen/edge/v1/credentials_pb.ts";
import type { GetNodeResponse } from "../../../gen/edge/v1/node_pb.ts";
import type { Runtime } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import { proxyOf } from "../../wire/proxy.ts";
import { version } from "../../wire/version.ts";
import { type Answer, answerOf } from "./answer.ts";
import { engineInfo, engineVersion, findLeftovers, hostOfEngine } from "./engine.ts";
import type { Facts, Tried } from "./facts.ts";
import { findSetAside, readIdentity } from "./files.ts";
import { lookAtFlash, lookAtLogs, lookAtMemory, lookAtSerial, lookAtTimeSync } from "./hardware.ts";
import { goToHub } from "./hub.ts";
import { findHypervisor, lookAtDisk, missingPrograms, tryKernel } from "./machine.ts";
import { isForwarding, lookAtFilter, lookAtFilterKinds } from "./network.ts";
import { proxyNames, proxyVariables } from "./processes.ts";
import { lookAtGovernors, lookAtIsolation, lookAtPreemption } from "./realtime.ts";
import { lookAtLimits, lookAtNetmon, missingCapabilities } from "./rights.ts";
import { knockAt, lookAtSwap } from "./secrets.ts";

/** The doors of the programs on this machine. @throws {Failure} each: it does not answer. */
export interface Doors {
  node(signal: AbortSignal): Promise<GetNodeResponse>;
  runtimes(signal: AbortSignal): Promise<Runtime[]>;
  vault(signal: AbortSignal): Promise<GetSealingKeyResponse>;
  /** Addresses of the node's providers of language models. */
  providers(signal: AbortSignal): Promise<string[]>;
  netmon(signal: AbortSignal): Promise<Extract<Facts["netmon"], { is: "known" }>["value"]>;
  /** Has netmon try an interface. */
  parent(name: string, signal: AbortSignal): Promise<Tried>;
}

/** Where the doctor stands. */
export interface Around {
  env: NodeJS.ProcessEnv;
  clock: Clock;
  signal: AbortSignal;
}

export interface LookOptions {
  /** The daemon's folder. */
  dataDir: string;
  netmonSocket: string;
  parent?: string | undefined;
  /** Whether nothing may leave this machine. */
  offline: boolean;
  /** Whether the providers of language models are knocked at. */
  providers?: boolean;
  /** Called after each look. */
  onLooked?: (done: number, all: number) => void;
}

/** How long a look may take, in milliseconds. What waits for the daemon's answer has what is left of the doctor's 5 s. */
const limits = { lookMs: 3_500, daemonMs: 1_500, engineMs: 2_000, rootMs: 800, parentMs: 10_000 };

type Look = <T>(how: (signal: AbortSignal) => Promise<T>, limitMs?: number) => Promise<Answer<T>>;

/** Looks at everything, side by side: the whole takes as long as the slowest, and that one its own limit at most. */
export async function gather(around: Around, doors: Doors, options: LookOptions): Promise<Facts> {
  const { env, signal } = around;
  const { dataDir, netmonSocket } = options;
  let [done, all] = [0, 0];
  const look: Look = async (how, limitMs = limits.lookMs) => {
    all++;
    const answer = await answerOf(limitMs, signal, how);
    options.onLooked?.(++done, all);
    return answer;
  };
  const [node, listed] = [
    look((signal) => doors.node(signal), limits.daemonMs),
    look((signal) => doors.runtimes(signal), limits.daemonMs),
  ];
  const [engine, toHub, isolated, ...sooner] = [
    lookAtEngine(around, look, node, listed),
    lookAtHub(around, look, { node, dataDir, offline: options.offline }),
    listed.then((runtimes) => look(() => lookAtIsolation(runtimes.is === "known" ? runtimes.value : []))),
    missingPrograms(env),
    findHypervisor(),
  ] as const;
  const { parent } = options;
  const rest = {
    vault: look((signal) => doors.vault(signal), limits.daemonMs),
    swap: look(lookAtSwap),
    netmon: look((signal) => doors.netmon(signal)),
    netmonRights: look(lookAtNetmon),
    setAside: look(() => findSetAside([...new Set([dataDir, dirname(netmonSocket)])])),
    links: look((signal) => tryKernel(env, signal)),
    filter: look((signal) => lookAtFilter(env, signal)),
    filterKinds: look((signal) => lookAtFilterKinds(env, signal)),
    isForwarding: look(isForwarding),
    timeSync: look(lookAtTimeSync),
    memory: look(lookAtMemory),
    disk: look(() => lookAtDisk(dataDir)),
    flash: look(() => lookAtFlash()),
    logs: look((signal) => lookAtLogs("/var/log", signal)),
    serial: look(() => lookAtSerial()),
    kernel: look(lookAtPreemption),
    limits: look(() => lookAtLimits()),
    governors: look(lookAtGovernors),
    isolated,
    missingCapabilities: look(missingCapabilities),
  };
  const knocked = options.providers
    ? look(async (signal) => await knockAt(await doors.providers(signal), signal))
    : undefined;
  const tried = parent && look((signal) => doors.parent(parent, signal), limits.parentMs);
  const [programs, hypervisor] = await Promise.all(sooner);
  const daemon = await node;
  const offset = daemon.is === "known" ? daemon.value.clock?.hubOffsetMs : undefined;
  return {
    ...(await engine),
    ...(await toHub),
    ...(await allOf(rest)),
    ...{ cliVersion: version, nowMs: around.clock.now(), daemon, hypervisor },
    missingPrograms: programs,
    providers: await knocked,
    hubOffsetMs: offset === undefined ? undefined : Number(offset),
    parent: parent && tried ? { name: parent, tried: await tried } : undefined,
  };
}

type Asked<T> = Promise<Answer<T>>;

/** The engine, asked itself and through the daemon. */
async function lookAtEngine(
  { env }: Around,
  look: Look,
  asked: Asked<GetNodeResponse>,
  listed: Asked<Runtime[]>,
): Promise<Pick<Facts, "engine" | "engineInfo" | "engineDisk" | "leftovers">> {
  const [daemon, runtimes] = await Promise.all([asked, listed]);
  const seen = daemon.is === "known" ? daemon.value.engine : undefined;
  const host = await hostOfEngine(env, seen?.host);
  const ask = <T>(how: (signal: AbortSignal) => Promise<T>) => look(how, limits.engineMs);
  const [version, engineInfoAnswer, leftovers] = await Promise.all([
    ask(async (signal) => ({ version: await engineVersion(host, signal), host })),
    ask((signal) => engineInfo(host, signal)),
    ask(async (signal) => {
      if (runtimes.is === "unknown")
        throw failure("unavailable", `whose they are is not known: ${runtimes.problem}`);
      return await findLeftovers(host, runtimes.value, signal);
    }),
  ]);
  const root = engineInfoAnswer.is === "known" ? engineInfoAnswer.value.rootDir : undefined;
  return {
    engine: seen?.reachable ? { is: "known", value: { version: seen.version, host: seen.host } } : version,
    engineInfo: engineInfoAnswer,
    leftovers,
    engineDisk: await look(async () => {
      if (!root) throw failure("unavailable", "where the engine keeps its data is not known");
      return await lookAtDisk(root);
    }, limits.rootMs),
  };
}

/** The way to the hub, by what the daemon says of it, else by the identity that is kept here. */
async function lookAtHub(
  { env, signal }: Around,
  look: Look,
  { node, dataDir, offline }: { node: Asked<GetNodeResponse>; dataDir: string; offline: boolean },
): Promise<Pick<Facts, "hub" | "proxy" | "certificate">> {
  const [daemon, kept] = await Promise.all([node, look(() => readIdentity(dataDir))]);
  const told = daemon.is === "known" ? daemon.value : undefined;
  const identity = kept.is === "known" ? kept.value : undefined;
  const address = told?.hubAddress || identity?.address;
  const variables = await proxyVariables(env);
  const proxy = await look(
    async () => told?.hubProxy || (address && proxyOf(address, proxyNames(variables))?.host) || undefined,
  );
  const ends = told?.certificateExpiresAt;
  return {
    proxy,
    certificate:
      kept.is === "unknown" && ends
        ? { is: "known", value: { fromMs: undefined, untilMs: timestampMs(ends) } }
        : kept,
    hub:
      address && !offline
        ? { address, steps: await goToHub(address, { ca: identity?.caPem, env: variables, signal }) }
        : undefined,
  };
}

/** What promises by name become, once all are kept. */
async function allOf<T extends object>(promises: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const names = Object.keys(promises) as (keyof T)[]; // Exactly its keys.
  const pairs = await Promise.all(names.map(async (name) => [name, await promises[name]]));
  return Object.fromEntries(pairs) as T; // Each name has what its promise became.
}
