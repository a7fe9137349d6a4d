import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../base/failure.ts";
import { parseSize } from "../base/quantity.ts";
import { checked, collect } from "./flags.ts";

/** Flags that say what a runtime's container is made of. */
export interface ContainerFlags {
  entrypoint: string[];
  volume: { name: string; path: string; readOnly: boolean }[];
  tmpfs: { path: string; sizeBytes: bigint }[];
  ulimit: { name: string; soft: bigint; hard: bigint }[];
  capAdd: string[];
  memory?: bigint;
  cpuset?: string;
  pids?: bigint;
  cpuWeight?: number;
  cpuQuota?: number;
  logSize?: bigint;
  logFiles?: number;
}

/** Their names as commander keeps them. */
export const containerFlagNames: readonly (keyof ContainerFlags)[] = [
  ...(["entrypoint", "volume", "tmpfs", "ulimit", "capAdd", "memory", "cpuset", "pids"] as const),
  ...(["cpuWeight", "cpuQuota", "logSize", "logFiles"] as const),
];

/** Adds them to a command. */
export function withContainerFlags(command: Command): Command {
  return command
    .option("--memory <size>", "memory limit: 512Mi, 2G, 512MB or bytes", checked(parseSize))
    .option("--cpuset <cpus>", "CPUs that it may run on, as in 0-1,3")
    .option(
      "--cpu-weight <weight>",
      "share of a CPU that is fought for; others have 100",
      checked(parseCount),
    )
    .option("--cpu-quota <cpus>", "quota as in 0.5; not for what runs in cycles", checked(parseQuota))
    .option(
      "--pids <count>",
      "most processes and threads",
      checked((text) => BigInt(parseCount(text))),
    )
    .option(
      "--entrypoint <program>",
      "program instead of the image's; given again, its first arguments",
      (text: string, before: string[]) => [...before, text],
      [],
    )
    .option(
      "--volume <name:/path[:ro]>",
      "named volume beside its own; may be given often",
      collect(parseVolume),
      [],
    )
    .option(
      "--tmpfs </path[:size]>",
      "file system in memory, 64Mi when no size is given; may be given often",
      collect(parseTmpfs),
      [],
    )
    .option(
      "--ulimit <name=soft[:hard]>",
      "limit of the kernel, as in nofile=1024:2048 or memlock=unlimited; may be given often",
      collect(parseUlimit),
      [],
    )
    .option(
      "--cap-add <capability>",
      "capability that the node's policy allows, as in NET_RAW; may be given often",
      collect((text) => text.toUpperCase().replace(/^CAP_/, "")),
      [],
    )
    .option("--log-size <size>", "size of one file of its log; 10MB when not given", checked(parseSize))
    .option("--log-files <count>", "files of its log that are kept; 3 when not given", checked(parseCount));
}

/** What the flags say, as a part of a spec. */
export function fromContainerFlags(flags: ContainerFlags) {
  const { memory, cpuset, pids, cpuWeight, cpuQuota, logSize, logFiles } = flags;
  const isLimited = [memory, cpuset, pids, cpuWeight, cpuQuota].some((one) => one !== undefined);
  const hasLog = logSize !== undefined || logFiles !== undefined;
  return {
    ...(isLimited && {
      resources: {
        ...{ memoryBytes: memory ?? 0n, cpuset: cpuset ?? "", pidsLimit: pids ?? 0n },
        ...{ cpuWeight: cpuWeight ?? 0, cpuQuotaMillis: cpuQuota ?? 0 },
      },
    }),
    ...{ entrypoint: flags.entrypoint, volumes: flags.volume, tmpfs: flags.tmpfs },
    ...{ ulimits: flags.ulimit, capabilities: flags.capAdd },
    ...(hasLog && { log: { fileBytes: logSize ?? 0n, files: logFiles ?? 0 } }),
  } satisfies MessageInitShape<typeof RuntimeSpecSchema>;
}

function parseVolume(text: string) {
  const [, name, path, mode] = /^([^:/]+):(\/[^:]*)(:ro|:rw)?$/.exec(text) ?? [];
  if (name === undefined || path === undefined) {
    const sentence =
      "it must be a name, a colon and an absolute path, as in recipes:/recipes or recipes:/recipes:ro";
    const hint = text.startsWith("/") ? "; folders of the node cannot be mounted" : "";
    throw failure("invalid", `${sentence}${hint}`);
  }
  return { name, path, readOnly: mode === ":ro" };
}

function parseTmpfs(text: string) {
  const [, path, size] = /^(\/[^:]*)(?::(.+))?$/.exec(text) ?? [];
  if (path === undefined) throw failure("invalid", "it must be an absolute path, as in /tmp or /tmp:128Mi");
  return { path, sizeBytes: size === undefined ? 0n : parseSize(size) };
}

function parseUlimit(text: string) {
  const [, name, soft, hard = soft] =
    /^([a-z]+)=(\d{1,18}|-1|unlimited)(?::(\d{1,18}|-1|unlimited))?$/.exec(text) ?? [];
  if (name === undefined || soft === undefined || hard === undefined) {
    throw failure(
      "invalid",
      "it must be a name and a limit, as in nofile=1024, nofile=1024:2048 or memlock=unlimited",
    );
  }
  const value = (one: string) => (one === "unlimited" ? -1n : BigInt(one));
  return { name, soft: value(soft), hard: value(hard) };
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw failure("invalid", "it must be a whole number from 1");
  return Number(text);
}

/** In thousandths of a CPU. */
function parseQuota(text: string): number {
  const millis = /^\d{1,4}(?:\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1000) : 0;
  if (millis > 0) return millis;
  throw failure("invalid", "it must be a number of CPUs with at most three decimals, as in 0.5");
}
