import { type Runtime, RuntimeProfile } from "../../gen/edge/v1/runtimes_pb.ts";
import { formatBytes } from "../base/quantity.ts";
import { word } from "./answer.ts";

/** What a runtime's container is made of, as rows of a sheet: what its spec says, and what it may not use without end. */
export function containerRows({ spec }: Runtime): [string, string][] {
  if (!spec) return [];
  const { resources, log } = spec;
  const {
    memoryBytes = 0n,
    cpuset = "",
    pidsLimit = 0n,
    cpuWeight = 0,
    cpuQuotaMillis = 0,
  } = resources ?? {};
  const rows: [string, string][] = [
    ["profile", word(RuntimeProfile, spec.profile || RuntimeProfile.OPENPLC)],
    ["entrypoint", spec.entrypoint.map(quoted).join(" ")],
    ["command", spec.command.map(quoted).join(" ")],
    ["memory", memoryBytes ? formatBytes(memoryBytes) : "no limit"],
    ["cpus", cpuset || "all"],
    ["cpu weight", cpuWeight ? `${cpuWeight}, where others have 100` : ""],
    ["cpu quota", cpuQuotaMillis ? `${cpuQuotaMillis / 1000} of a CPU in each 100 ms` : ""],
    ["processes", pidsLimit ? `${pidsLimit} at most` : ""],
    ["volume", spec.volumePath],
    [
      "volumes",
      spec.volumes
        .map(({ name, path, readOnly }) => `${name} at ${path}${readOnly ? " (read only)" : ""}`)
        .join(", "),
    ],
    [
      "tmpfs",
      spec.tmpfs.map(({ path, sizeBytes }) => `${path} (${formatBytes(sizeBytes || 64n << 20n)})`).join(", "),
    ],
    ["ulimits", spec.ulimits.map(({ name, soft, hard }) => `${name}=${limits(soft, hard)}`).join(", ")],
    ["capabilities", spec.capabilities.join(", ")],
    ["log", log ? `${log.files || 3} files of ${formatBytes(log.fileBytes || 10_000_000n)}` : ""],
  ];
  return rows.filter(([, text]) => text !== "");
}

function limits(soft: bigint, hard: bigint): string {
  const shown = (one: bigint) => (one === -1n ? "unlimited" : String(one));
  return soft === hard ? shown(soft) : `${shown(soft)}:${shown(hard)}`;
}

/** As a shell would read it again. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
