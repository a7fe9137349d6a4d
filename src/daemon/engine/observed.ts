import type Docker from "dockerode";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { label } from "../../wire/labels.ts";

/** Whether its processes live. A paused one does: whoever paused it knows why. */
export function isUp({ state }: Pick<ObservedContainer, "state">): boolean {
  return state === "running" || state === "paused" || state === "restarting";
}

/** A container of ours, as the engine tells. */
export interface ObservedContainer {
  id: string;
  /** Without the slash that the engine puts in front. */
  name: string;
  state: "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
  specHash: string;
  imageId: string;
  /** By the engine's clock, as it wrote it. */
  createdAt: string;
  /** Whether the runtime had a container before this one. */
  isReplacement: boolean;
  /** Of its first process, as the engine sees it; 0 while it has none. */
  pid: number;
  /** By the engine's clock, as it wrote it; empty when it never did. */
  startedAt: string;
  finishedAt: string;
  /** Of its last end; undefined while it runs, because the engine has forgotten it then. */
  exitCode: number | undefined;
  outOfMemory: boolean;
  /** What the image's own check has shown, where the engine does one. */
  health: { health: Health; reason: string } | undefined;
  /** Whether the engine starts it again by itself, in the engine's words. */
  restartPolicy: string;
  /** Names of the limits that it asks for. */
  rlimits: readonly string[];
  networks: readonly { name: string; id: string; address: string; mac: string }[];
}

/** All objects of one runtime that the engine has and that carry our labels. */
export interface Observed {
  containers: readonly ObservedContainer[];
  networks: readonly { id: string; name: string; isInternal: boolean }[];
  /** `commandId` is the create that made it. */
  volumes: readonly { name: string; commandId: string }[];
}

/** What is seen where nothing is there. */
export const nothing: Observed = { containers: [], networks: [], volumes: [] };

/** What counts of a container, out of all that the engine says of it. */
export function toObserved(inspected: Docker.ContainerInspectInfo): ObservedContainer {
  const { State, Config, HostConfig, NetworkSettings } = inspected;
  return {
    id: inspected.Id,
    name: inspected.Name.replace(/^\//, ""),
    state: State.Status as ObservedContainer["state"], // The engine's own list of states, since 1.10.
    specHash: Config.Labels[label.specHash] ?? "",
    imageId: inspected.Image,
    createdAt: inspected.Created,
    isReplacement: label.replaces in Config.Labels,
    pid: State.Pid,
    startedAt: momentOf(State.StartedAt),
    finishedAt: momentOf(State.FinishedAt),
    exitCode: State.Running && !State.Restarting ? undefined : State.ExitCode,
    outOfMemory: State.OOMKilled,
    health: healthOf(State.Health),
    restartPolicy: HostConfig.RestartPolicy?.Name || "no",
    rlimits: (HostConfig.Ulimits ?? []).map(({ Name = "" }) => Name),
    networks: Object.entries(NetworkSettings.Networks).map(([name, network]) => ({
      name,
      id: network.NetworkID,
      address: network.IPAddress || network.GlobalIPv6Address,
      mac: network.MacAddress,
    })),
  };
}

/** As much of a check's output as is told. */
const toldBytes = 256;

function healthOf(
  said: { Status?: string; Log?: readonly { Output?: string }[] } | undefined,
): ObservedContainer["health"] {
  const states: Record<string, Health> = {
    starting: Health.STARTING,
    healthy: Health.HEALTHY,
    unhealthy: Health.UNHEALTHY,
  };
  const health = states[said?.Status ?? ""];
  if (health === undefined) return undefined;
  const output = (said?.Log?.at(-1)?.Output ?? "").replace(/\p{C}+/gu, " ").trim();
  // What a check that succeeds writes is not worth a change each time.
  const isTold = health === Health.UNHEALTHY && output !== "";
  const what = `the image's own check says ${said?.Status}`;
  return { health, reason: isTold ? `${what}: ${output.slice(0, toldBytes)}` : what };
}

/** Sorts what the engine listed by the runtime that it belongs to. */
export function byRuntime(listed: {
  containers: readonly Docker.ContainerInspectInfo[];
  networks: readonly Docker.NetworkInspectInfo[];
  /** Some engines say null for none. */
  volumes: readonly Docker.VolumeInspectInfo[] | null;
}): Map<string, Observed> {
  type Filling = {
    containers: ObservedContainer[];
    networks: { id: string; name: string; isInternal: boolean }[];
  };
  const found = new Map<string, Filling & { volumes: { name: string; commandId: string }[] }>();
  const at = (labels: { [key: string]: string } | null | undefined) => {
    const name = labels?.[label.runtime] ?? "";
    const known = found.get(name) ?? { containers: [], networks: [], volumes: [] };
    found.set(name, known);
    return known;
  };
  for (const one of listed.containers) at(one.Config.Labels).containers.push(toObserved(one));
  for (const one of listed.networks)
    at(one.Labels).networks.push({ id: one.Id, name: one.Name, isInternal: one.Internal });
  for (const one of listed.volumes ?? []) {
    at(one.Labels).volumes.push({ name: one.Name, commandId: one.Labels[label.command] ?? "" });
  }
  found.delete("");
  return found;
}

/** The engine writes the year 1 for never. */
function momentOf(text: string): string {
  return text.startsWith("0001-") ? "" : text;
}
