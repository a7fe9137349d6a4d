import type { World } from "./world.ts";

/**
 * How long a node that is connected, as the hub knows, may go on with what was called off, in milliseconds: the two leases in which
 * the hub must notice that it is not, and some time to end.
 */
const mostMs = 2 * 15_000 + 10_000;

/** Looks, when the troubles are over, whether what was called off ends. */
export class Cancels {
  readonly #world: World;
  /** Since when a node has been connected without a break, as far as the looks tell. */
  readonly #connectedSince = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  look(): void {
    const { hub, nodes, operator, time, wrongs } = this.#world;
    for (const { machine } of nodes) {
      const { nodeId } = machine;
      if (!hub.running?.fleet.isConnected(nodeId)) this.#connectedSince.delete(nodeId);
      else if (!this.#connectedSince.has(nodeId)) this.#connectedSince.set(nodeId, time.now);
    }
    for (const { command, nodeId, heardAt } of operator.asked) {
      const since = Math.max(this.#connectedSince.get(nodeId) ?? time.now, heardAt ?? time.now);
      if (time.now - since < mostMs || this.#isAnswered(command.id)) continue;
      wrongs.push(`command ${command.id} was called off, and still goes on`);
    }
  }

  #isAnswered(id: string): boolean {
    const { hubMachine, isHubPutBack } = this.#world;
    return isHubPutBack || hubMachine.disk.look("SELECT 1 FROM sim_results WHERE command = ?", id).length > 0;
  }
}
