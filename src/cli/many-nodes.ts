import type { Command } from "commander";
import type { FleetNode } from "../../gen/edge/v1/fleet_pb.ts";
import { type Failure, failure } from "../base/failure.ts";
import { Gate } from "../base/gate.ts";
import { fromConnectError } from "../wire/failures.ts";
import { meets, parseSelector } from "../wire/selector.ts";
import { ago } from "./answer.ts";
import type { Door } from "./door.ts";
import { checked } from "./flags.ts";
import { ProgressLine } from "./progress.ts";
import type { Run } from "./run.ts";
import { choose } from "./target.ts";

/** Flags by which many nodes are meant. */
export interface ManyFlags {
  selector?: string;
  group?: string;
  nodes?: string[];
  all?: boolean;
}

/** Adds them to a command. */
export function withManyFlags(command: Command): Command {
  return command
    .option(
      "--selector <selector>",
      "all nodes with these labels, as in site=graz,ring!=canary",
      selectorText,
    )
    .option("--group <node-group>", "all nodes of a group")
    .option("--nodes <node,...>", "these nodes, in this order", (text) => text.split(","))
    .option("--all", "all nodes of the fleet");
}

/** A selector as it was written. @throws {InvalidArgumentError} it is none. */
export const selectorText = checked((text: string) => {
  parseSelector(text);
  return text;
});

/** Whether many nodes are meant. */
export function isForMany({ selector, group, nodes, all }: ManyFlags): boolean {
  return selector !== undefined || group !== undefined || nodes !== undefined || all === true;
}

/** The nodes that flags mean, as far as is known here. @throws {Failure} invalid, not_found, conflict. */
export async function nodesOf({ flags, signal }: Run, door: Door, meant: ManyFlags): Promise<FleetNode[]> {
  const { selector, group, nodes: names, all } = meant;
  const ways = [flags.node, selector, group, names, all].filter((one) => one !== undefined).length;
  if (ways > 1) {
    const sentence = "nodes are chosen by one of --selector, --group, --nodes, --all, or one by --node";
    throw failure("invalid", `${sentence}: leave out the others`);
  }
  const options = { signal, timeoutMs: flags.timeout ?? 30_000 };
  const { nodes } = await door.fleet.listNodes({}, options);
  if (names) return names.map((name) => choose(nodes, name));
  if (group !== undefined) {
    const { nodeIds } = await door.groups.getGroup({ name: group }, options);
    return nodes.filter(({ id }) => nodeIds.includes(id));
  }
  if (selector === undefined) return nodes;
  const requirements = parseSelector(selector);
  return nodes.filter(({ labels }) => meets(labels, requirements));
}

/** Refuses to go on with nobody. @throws {Failure} not_found. */
export function mustMeanSome(nodes: readonly FleetNode[], { selector, group }: ManyFlags): void {
  if (nodes.length > 0) return;
  const what = selector ?? (group === undefined ? undefined : `the group ${group}`);
  throw failure(
    "not_found",
    `no node is meant${what === undefined ? "" : ` by ${what}`}: see \`orchestrator node list\``,
  );
}

/** What a node says: an answer, or why there is none. */
export type Told<T> = { node: FleetNode } & ({ answer: T } | { away: string } | { refusal: Failure });

/** Nodes that are asked at once. */
const atOnce = 16;

/**
 * Asks each node, several at a time, each within its own time: one that hangs holds up no other, and one that is away is not asked.
 * In the order of the nodes.
 */
export async function askEach<T>(
  run: Run,
  nodes: readonly FleetNode[],
  ask: (node: FleetNode) => Promise<T>,
): Promise<Told<T>[]> {
  using progress = new ProgressLine(run);
  const gate = new Gate(atOnce);
  let done = 0;
  return await Promise.all(
    nodes.map(async (node): Promise<Told<T>> => {
      if (!node.connected) {
        const since = ago(node.seenAt, run.clock.now());
        return { node, away: since === "" ? "it never was there" : `it was there last ${since} ago` };
      }
      try {
        return { node, answer: await gate.run(run.signal, () => ask(node)) };
      } catch (thrown) {
        if (run.signal.aborted) throw thrown;
        return { node, refusal: fromConnectError(thrown) };
      } finally {
        progress.show(`${++done} of ${nodes.length} nodes have answered`);
      }
    }),
  );
}

/** How many could not be asked, and refused, in words; empty when all answered. */
export function missingOf(told: readonly Told<unknown>[]): string {
  const away = told.filter((one) => "away" in one).length;
  const refused = told.filter((one) => "refusal" in one).length;
  return [...(away > 0 ? [`${away} away`] : []), ...(refused > 0 ? [`${refused} refused`] : [])].join(", ");
}

/** @throws {Failure} the first refusal of a node, or unavailable when one was away: what was told is not all. */
export function mustBeWhole(told: readonly Told<unknown>[]): void {
  const refusals = told.flatMap((one) => ("refusal" in one ? [one.refusal] : []));
  const [first] = refusals;
  if (first) throw failure(first.kind, `${refusals.length} of ${told.length} nodes refuse`);
  const away = told.filter((one) => "away" in one).length;
  if (away > 0)
    throw failure("unavailable", `${away} of ${told.length} nodes are away and could not be asked`);
}
