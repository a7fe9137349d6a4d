import type { FleetNode } from "../../gen/edge/v1/fleet_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import { type Door, withDoor } from "./door.ts";
import type { LabelText } from "./labels.ts";
import type { Run } from "./run.ts";

/** The node that a command is for: undefined at the local door, which leads to one node only. */
export type Target =
  | {
      id: string;
      host: string;
      connected: boolean;
      labels: readonly LabelText[];
      groups: readonly string[];
      tenant: string;
    }
  | undefined;

/** Opens a door and finds the node that is meant, then does the work. */
export function withNode(
  run: Run,
  work: (door: Door, target: Target) => Promise<void>,
  asked = run.flags.node,
): Promise<void> {
  return withDoor(run, async (door) => await work(door, await findTarget(run, door, asked)));
}

/**
 * The node that `--node` means: an id, the beginning of one, or a host name. Without `--node`, the only node of the fleet.
 * @throws {Failure} not_found, or conflict when more than one could be meant.
 */
export async function findTarget(run: Run, door: Door, asked = run.flags.node): Promise<Target> {
  if (door.kind === "local") {
    if (asked === undefined) return undefined;
    throw failure("invalid", "--local asks this node's daemon: leave out --local or the node");
  }
  const { signal } = run;
  if (asked !== undefined) {
    const { nodes } = await door.fleet.listNodes({ ids: [asked] }, { signal, timeoutMs: 30_000 });
    const [exact] = nodes;
    if (exact) return targetOf(exact);
  }
  const { nodes } = await door.fleet.listNodes({}, { signal, timeoutMs: 30_000 });
  return targetOf(choose(nodes, asked));
}

/** Chooses by id, host name or beginning of an id, in this order. */
export function choose(nodes: readonly FleetNode[], asked: string | undefined): FleetNode {
  if (asked === undefined) {
    const [only, ...others] = nodes;
    if (only === undefined) {
      throw failure(
        "not_found",
        "the fleet has no nodes yet: let one in with `orchestrator hub token create`",
      );
    }
    if (others.length > 0) {
      throw failure(
        "conflict",
        `the fleet has ${nodes.length} nodes: say which with --node (${some(nodes)})`,
      );
    }
    return only;
  }
  const exact = nodes.find((node) => node.id === asked);
  if (exact) return exact;
  const byHost = nodes.filter((node) => node.hostName === asked);
  const found = byHost.length > 0 ? byHost : nodes.filter((node) => node.id.startsWith(asked));
  const [only, ...others] = found;
  if (only === undefined) throw failure("not_found", `no node is called ${evidence(asked)}`);
  if (others.length > 0)
    throw failure("conflict", `${evidence(asked)} means more than one node: ${some(found)}`);
  return only;
}

function some(nodes: readonly FleetNode[]): string {
  const shown = nodes.slice(0, 5).map((node) => node.id);
  return [...shown, ...(nodes.length > 5 ? ["..."] : [])].join(", ");
}

/** A node as a target. */
export function targetOf({ id, hostName, connected, labels, groups, tenant }: FleetNode): Target {
  return { id, host: hostName, connected, labels, groups, tenant };
}
