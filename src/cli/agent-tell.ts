import type { Agent, AgentSpec, AgentVersion, EgressRule } from "../../gen/edge/v1/agents_pb.ts";
import { formatBytes, formatDuration } from "../base/quantity.ts";
import { moment } from "./answer.ts";
import { formatLabels } from "./labels.ts";
import { rows, sheet } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Agents as a table for people. */
export function tableOfAgents(agents: readonly Agent[], terminal: Terminal): string {
  return rows(
    terminal,
    ["NAME", "VERSION", "QUEUED", "RUNNING", "WARM", "NEXT RUN", "IMAGE", "PROBLEM"],
    agents.map(({ name, current, queued, running, warm, nextRunAt, problem }) => [
      ...[name, String(current?.version ?? ""), String(queued), String(running)],
      ...[`${warm}/${current?.spec?.warm ?? 0}`, moment(nextRunAt), current?.spec?.image ?? "", problem],
    ]),
    "no agents",
  );
}

/** One agent for people, and all of its versions. */
export function describeAgent(agent: Agent | undefined, terminal: Terminal): string {
  const { current } = agent ?? {};
  const spec = current?.spec;
  if (!agent || !current || !spec) return "";
  const facts = sheet([
    ["name", agent.name],
    ["description", spec.description],
    ["problem", agent.problem],
    ["version", String(current.version)],
    ["image", spec.image],
    ["digest", current.imageDigest],
    ["image id", current.imageId],
    ["program", programOf(spec)],
    ["tasks", `${agent.queued} queued, ${agent.running} running, at most ${spec.concurrency || 1} at a time`],
    ["warm", `${agent.warm} of ${spec.warm}`],
    ["schedule", scheduleOf(spec)],
    ["next run", moment(agent.nextRunAt)],
    ["limits", limitsOf(spec)],
    ["network", networkOf(spec)],
    [
      "mounts",
      spec.mounts
        .map(({ nodePath, path, writable }) => `${nodePath} at ${path}${writable ? ", writable" : ""}`)
        .join("; "),
    ],
    [
      "credentials",
      spec.credentials
        .map(({ name, upstream }) => (upstream ? `${name} for ${upstream.url}` : name))
        .join(", "),
    ],
    ["models", (spec.llm?.aliases ?? []).join(", ")],
    ["isolation", spec.isolation || "container"],
    ["retries", retriesOf(spec)],
    ["env", spec.env.map((one) => one.name).join(", ")],
    ["labels", formatLabels(spec.labels)],
  ]);
  return `${facts}\n${tableOfVersions(agent.versions, current, terminal)}`;
}

function tableOfVersions(
  versions: readonly AgentVersion[],
  current: AgentVersion,
  terminal: Terminal,
): string {
  return rows(
    terminal,
    ["VERSION", "", "DEPLOYED", "BY", "IMAGE", "DIGEST"],
    versions.map(({ version, deployedAt, actor, spec, imageDigest }) => [
      ...[String(version), version === current.version ? "current" : "", moment(deployedAt), actor],
      ...[spec?.image ?? "", imageDigest],
    ]),
    "no versions",
  );
}

function programOf({ script, entrypoint, command }: AgentSpec): string {
  const words = [...entrypoint, ...command].join(" ");
  return script === "" ? words : `${words} with a script of ${formatBytes(Buffer.byteLength(script))}`;
}

function scheduleOf({ schedule }: AgentSpec): string {
  if (!schedule) return "";
  const { cron, timeZone, paused } = schedule;
  return `${cron} in ${timeZone || "UTC"}${paused ? ", paused" : ""}`;
}

/** Only what it asks for: what it does not is the node's to say. */
function limitsOf({ resources }: AgentSpec): string {
  if (!resources) return "";
  const { memoryBytes, cpuMillis, pids, diskBytes, wallTimeMs } = resources;
  return [
    ...(memoryBytes > 0n ? [`memory ${formatBytes(memoryBytes)}`] : []),
    ...(cpuMillis > 0 ? [`${cpuMillis / 1000} CPUs`] : []),
    ...(pids > 0 ? [`${pids} processes`] : []),
    ...(diskBytes > 0n ? [`disk ${formatBytes(diskBytes)}`] : []),
    ...(wallTimeMs > 0 ? [`${formatDuration(wallTimeMs)} for each attempt`] : []),
  ].join(", ");
}

function networkOf({ network }: AgentSpec): string {
  const allow = network?.allow ?? [];
  return allow.length === 0 ? "none" : allow.map(ruleInWords).join(", ");
}

function ruleInWords({ host, cidr, ports, udp }: EgressRule): string {
  return `${host || cidr}:${ports.length === 0 ? "443" : ports.join("+")}${udp ? " (and UDP)" : ""}`;
}

function retriesOf({ retries }: AgentSpec): string {
  if (!retries || retries.most === 0) return "";
  const { most, firstMs, mostMs } = retries;
  const pauses = `${formatDuration(firstMs || 1000)} to ${formatDuration(mostMs || 60_000)}`;
  return `${most}, after pauses of ${pauses}`;
}
