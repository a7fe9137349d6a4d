/** What an engine has of all runtimes, in the words of the model, and where something is left over or half made. */
import type Docker from "dockerode";
import { label } from "../../../src/wire/labels.ts";
import type { Should } from "./model.ts";

/** One runtime on the engine: one object of each kind where it is there, and nothing at all where it is not. */
export interface Seen {
  containers: readonly string[];
  networks: number;
  volumes: number;
}

/** What must be seen of a runtime: the volume that each has, and the one that its wish names. */
export function mustBeSeen({ be, version }: Should): Seen | undefined {
  if (be === "absent") return undefined;
  const state = be === "running" ? "running, on its network" : "at rest";
  return { containers: [`version ${version}, ${state}`], networks: 1, volumes: 2 };
}

/** Everything on the engine that carries our label, by runtime; and when each container that runs was started. */
export async function lookAt(
  docker: Docker,
): Promise<{ seen: Map<string, Seen>; starts: Map<string, string> }> {
  const filters = { label: [label.runtime] };
  const [listed, networks, { Volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  const containers = await Promise.all(listed.map(({ Id }) => docker.getContainer(Id).inspect()));
  const labels = [
    ...containers.map(({ Config }) => Config.Labels),
    ...networks.map(({ Labels = {} }) => Labels),
    ...(Volumes ?? []).map(({ Labels }) => Labels),
  ];
  const nameOf = (one: Record<string, string> | undefined) => one?.[label.runtime] ?? "";
  const seen = new Map<string, Seen>();
  const starts = new Map<string, string>();
  for (const name of new Set(labels.map(nameOf))) {
    const own = containers.filter(({ Config }) => nameOf(Config.Labels) === name);
    seen.set(name, {
      containers: own.map(inWords),
      networks: networks.filter(({ Labels }) => nameOf(Labels) === name).length,
      volumes: (Volumes ?? []).filter(({ Labels }) => nameOf(Labels) === name).length,
    });
    for (const { Id, State } of own) if (State.Running) starts.set(name, `${Id} ${State.StartedAt}`);
  }
  return { seen, starts };
}

function inWords({ Config, State, NetworkSettings }: Docker.ContainerInspectInfo): string {
  const version = Config.Env.find((one) => one.startsWith("VERSION="))?.slice(8) ?? "unknown";
  const isOnNetwork = Object.values(NetworkSettings.Networks).every(({ IPAddress }) => IPAddress !== "");
  const running = isOnNetwork ? "running, on its network" : "running, off its network";
  const isAtRest = State.Status === "exited" || State.Status === "created";
  return `version ${version}, ${State.Running ? running : isAtRest ? "at rest" : State.Status}`;
}
