import type Docker from "dockerode";
import { label } from "../../wire/labels.ts";
import type { Engine } from "./engine.ts";

/** An object of the engine that carries an instance's label, whatever else it is. */
export interface OwnObject {
  kind: "container" | "network" | "volume";
  /** By which the engine finds it. */
  id: string;
  name: string;
}

/** How long the engine may take for one list, in milliseconds. */
const listMs = 10_000;

/**
 * Everything on the engine that carries the label of an instance: containers first, because what they use cannot be removed
 * before them.
 * @throws {Failure} as `Engine.call` does.
 */
export async function ownObjects(
  engine: Pick<Engine, "call">,
  instanceId: string,
  signal: AbortSignal,
): Promise<OwnObject[]> {
  const filters = { label: [`${label.instance}=${instanceId}`] };
  const ask = <T>(doing: string, work: (docker: Docker, abortSignal: AbortSignal) => Promise<T>) =>
    engine.call(doing, signal, work, listMs);
  const [containers, networks, volumes] = await Promise.all([
    ask("list containers", (docker, abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    ),
    ask("list networks", (docker, abortSignal) => docker.listNetworks({ filters, abortSignal })),
    ask("list volumes", (docker, abortSignal) => docker.listVolumes({ filters, abortSignal })),
  ]);
  const named = (name: string | undefined, id: string) => name?.replace(/^\//, "") ?? id;
  return [
    ...containers.map(({ Id, Names }) => ({ kind: "container" as const, id: Id, name: named(Names[0], Id) })),
    ...networks.map(({ Id, Name }) => ({ kind: "network" as const, id: Id, name: Name })),
    // Some engines say null for none.
    ...(volumes.Volumes ?? []).map(({ Name }) => ({ kind: "volume" as const, id: Name, name: Name })),
  ];
}
