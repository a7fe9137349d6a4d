import { label } from "../../wire/labels.ts";
import type { Engine } from "./engine.ts";

/** An object of the engine that carries an instance's label, whatever else it is. */
export interface OwnObject {
  kind: "container" | "network" | "volume";
  /** By which the engine finds it. */
  id: string;
  name: string;
}

/**
 * Everything on the engine that carries the label of an instance: containers first, because what they use cannot be removed
 * before them.
 * @throws {Failure} as `Engine.call` does.
 */
export async function ownObjects(
  engine: Pick<Engine, "labelled">,
  instanceId: string,
  signal: AbortSignal,
): Promise<OwnObject[]> {
  const { containers, networks, volumes } = await engine.labelled(
    [`${label.instance}=${instanceId}`],
    signal,
  );
  const named = (name: string | undefined, id: string) => name?.replace(/^\//, "") ?? id;
  return [
    ...containers.map(({ Id, Names }) => ({ kind: "container" as const, id: Id, name: named(Names[0], Id) })),
    ...networks.map(({ Id, Name }) => ({ kind: "network" as const, id: Id, name: Name })),
    ...volumes.map(({ Name }) => ({ kind: "volume" as const, id: Name, name: Name })),
  ];
}
