import { label } from "../../wire/labels.ts";
import type { Engine } from "../engine/index.ts";
import type { FoundCell } from "./cell.ts";

/** What the engine has of this room. */
export interface Listing {
  cells: (FoundCell & { holderId: string | undefined })[];
  holders: { id: string; life: string }[];
}

/** Lists the cells and holders of an instance. */
export async function listOwn(engine: Engine, instanceId: string, signal: AbortSignal): Promise<Listing> {
  const filters = { label: [`${label.instance}=${instanceId}`] };
  const all = await engine.call("list cells", signal, (docker, abortSignal) =>
    docker.listContainers({ all: true, filters, abortSignal }),
  );
  const cells: Listing["cells"] = [];
  const holders: Listing["holders"] = [];
  for (const { Id, Labels, State, HostConfig } of all) {
    const id = Labels[label.cell];
    const life = Labels[label.holder];
    if (life !== undefined) holders.push({ id: Id, life });
    if (id === undefined) continue;
    cells.push({
      ...{ id, containerId: Id, isRunning: State === "running" || State === "paused" },
      agent: Labels[label.agent] ?? "",
      version: Number(Labels[label.agentVersion] ?? 0),
      commandId: Labels[label.command] ?? "",
      holderId: /^container:(.*)$/.exec(HostConfig.NetworkMode)?.[1],
    });
  }
  return { cells, holders };
}
