import type { FleetNode } from "../../gen/edge/v1/fleet_pb.ts";
import { type Failure, failure } from "../base/failure.ts";
import { fromConnectError } from "../wire/failures.ts";
import { isSelected } from "../wire/selector.ts";
import type { Door } from "./door.ts";
import type { RolloutFlags } from "./rollout-flags.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import { choose } from "./target.ts";

/** The nodes that flags mean, as far as is known here. @throws {Failure} invalid, not_found, conflict. */
export async function nodesOf(
  { flags, signal }: Run,
  door: Door,
  { selector, nodes: names }: RolloutFlags,
): Promise<FleetNode[]> {
  if (flags.node !== undefined || (selector && names)) {
    const sentence = "nodes are chosen by --selector, by --nodes, or one by --node";
    throw failure("invalid", `${sentence}: leave out the others`);
  }
  const { nodes } = await door.fleet.listNodes({}, { signal, timeoutMs: 30_000 });
  if (!selector) return (names ?? []).map((name) => choose(nodes, name));
  return nodes.filter(({ labels }) => isSelected(labels, selector));
}

/**
 * Tells of each node what `ask` says of it, one after the other; of one that is away, that nobody knows.
 * @throws {Failure} the first refusal of a node, when all have been told.
 */
export async function tellEach(
  run: Run,
  nodes: readonly FleetNode[],
  ask: (node: FleetNode) => Promise<string>,
): Promise<void> {
  if (run.flags.json === true) {
    throw failure("unsupported", "--json tells of one node: name it with --node");
  }
  const refusals: Failure[] = [];
  for (const node of nodes) {
    run.terminal.out(`${node.id} (${printable(node.hostName)})\n`);
    if (!node.connected) {
      run.terminal.out("it is away, and cannot say what would change\n\n");
      continue;
    }
    try {
      run.terminal.out(`${await ask(node)}\n`);
    } catch (thrown) {
      const refusal = fromConnectError(thrown);
      refusals.push(refusal);
      run.terminal.out(`it refuses: ${printable(refusal.message)}\n\n`);
    }
    run.signal.throwIfAborted();
  }
  const [first] = refusals;
  if (first) throw failure(first.kind, `${refusals.length} of ${nodes.length} nodes refuse`);
}
