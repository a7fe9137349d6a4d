import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { below, bytesOf, keysOf, type Refuse, textOf, wholeOf } from "./compose-values.ts";

/** Fields of a spec, as they are found. */
export type SpecInit = Exclude<MessageInitShape<typeof RuntimeSpecSchema>, RuntimeSpec>;

/** The keys that limit a service: some of them twice, in an older and a newer place. */
const keys: readonly string[] = ["mem_limit", "memswap_limit", "cpus", "cpuset", "pids_limit", "deploy"];

/** The limits of a service. `cpus` is a quota: whoever writes it asks for it by name. */
export function limitsFrom(service: ReadonlyMap<unknown, unknown>, refuse: Refuse): SpecInit {
  const at = (key: string) => below(refuse, key);
  const deploy = deployFrom(service.get("deploy"), at("deploy"));
  const memory = agreed(read(service, "mem_limit", bytesOf, refuse), deploy.memory, at("mem_limit"));
  const swap = read(service, "memswap_limit", bytesOf, refuse);
  if (swap !== undefined && swap !== 0n && swap !== memory) {
    at("memswap_limit")("must be equal to mem_limit: memory limits include swap");
  }
  const pids = agreed(read(service, "pids_limit", wholeOf, refuse), deploy.pids, at("pids_limit"));
  const quota = agreed(read(service, "cpus", millisOf, refuse), deploy.cpus, at("cpus"));
  const cpuset = read(service, "cpuset", cpusOf, refuse);
  const limits = {
    ...(memory && { memoryBytes: memory }),
    ...(pids !== undefined && pids > 0n && { pidsLimit: pids }), // -1 is no limit.
    ...(quota && { cpuQuotaMillis: quota }),
    ...(cpuset !== undefined && { cpuset }),
  };
  return Object.keys(limits).length === 0 ? {} : { resources: limits };
}
limitsFrom.keys = keys;

type Reads<T> = (value: unknown, refuse: Refuse) => T | undefined;

function read<T>(
  of: ReadonlyMap<unknown, unknown>,
  key: string,
  reads: Reads<T>,
  refuse: Refuse,
): T | undefined {
  const value = of.get(key);
  return value === undefined || value === null ? undefined : reads(value, below(refuse, key));
}

/** What two keys say of one thing. */
function agreed<T>(one: T | undefined, other: T | undefined, refuse: Refuse): T | undefined {
  if (one !== undefined && other !== undefined && one !== other) {
    refuse("is another than deploy.resources.limits says: leave one out");
  }
  return one ?? other;
}

const cpusOf: Reads<string> = (value, refuse) =>
  textOf(value) ?? refuse(`is ${evidence(value)}; CPU numbers such as 0-1,3 are needed`);

/** Thousandths of a CPU. */
const millisOf: Reads<number> = (value, refuse) => {
  const text = textOf(value) ?? "";
  if (/^\d{1,4}(?:\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  return refuse("must be a number of CPUs, as in 0.5");
};

function deployFrom(
  value: unknown,
  refuse: Refuse,
): { memory?: bigint | undefined; cpus?: number | undefined; pids?: bigint | undefined } {
  if (value === undefined || value === null) return {};
  const why = () => "is for swarms: leave it out, or say restart, depends_on, gpus";
  const { resources, replicas, mode } = keysOf(value, ["resources", "replicas", "mode"], refuse, why);
  if (replicas !== undefined && replicas !== 1) {
    refuse("must be 1: a runtime is one container; describe each under a name of its own", "replicas");
  }
  if (mode !== undefined && mode !== "replicated") refuse("must be replicated", "mode");
  if (resources === undefined) return {};
  const at = below(refuse, "resources");
  const { limits } = keysOf(resources, ["limits"], at, () => "is not kept: say limits; say gpus for GPUs");
  if (limits === undefined || limits === null) return {};
  const here = below(at, "limits");
  keysOf(limits, ["memory", "cpus", "pids"], here);
  if (!(limits instanceof Map)) return {};
  return {
    memory: read(limits, "memory", bytesOf, here),
    cpus: read(limits, "cpus", millisOf, here),
    pids: read(limits, "pids", wholeOf, here),
  };
}
