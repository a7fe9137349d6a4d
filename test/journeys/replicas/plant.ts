/** A cell with light nodes that know all of its hubs: as many as are wanted, at little cost. */
import { SimulatedNode } from "../../../tools/fleet/simulated-node.ts";
import { Tally } from "../../../tools/fleet/tally.ts";
import { Turns } from "../../../tools/fleet/turns.ts";
import { until } from "../until.ts";
import { type Cell, type CellOptions, openCell } from "./cell.ts";

export interface Plant extends Cell {
  nodes: readonly SimulatedNode[];
  /** Waits until every node's line is up. */
  allUp(): Promise<void>;
}

export interface PlantOptions extends CellOptions {
  /** How long a node takes for a command, in milliseconds. */
  answerMs?: number;
}

/** Opens it all; the nodes have dialled, each of them the next hub first. */
export async function openPlant(options: PlantOptions): Promise<Plant> {
  await using opened = new AsyncDisposableStack();
  const cell = opened.use(await openCell(options));
  const { hubs, identities, rootPem } = cell;
  const [tally, turns] = [new Tally(), new Turns(20)];
  const habits = { rootPem, answerMs: options.answerMs ?? 0, runtimes: 1, beatMs: 0 };
  const nodes = identities.map((identity, at) => {
    let dials = at;
    const here = {
      ...habits,
      get port() {
        return hubs[dials++ % hubs.length]?.linePort ?? 0;
      },
    };
    return new SimulatedNode(identity, here, { tally, turns });
  });
  opened.defer(async () => {
    await Promise.all(nodes.map((node) => node.end()));
  });
  for (const node of nodes) node.dial();
  const owned = opened.move();
  return {
    ...cell,
    nodes,
    async allUp() {
      await until("all nodes are up", () => nodes.every((node) => node.isUp), 60_000);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
