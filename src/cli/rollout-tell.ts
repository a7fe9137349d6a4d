import {
  type Rollout,
  RolloutBackState,
  type RolloutCounts,
  type RolloutNode,
  RolloutNodeState,
  RolloutState,
} from "../../gen/edge/v1/rollouts_pb.ts";
import { PlannedAction } from "../../gen/edge/v1/wishes_pb.ts";
import { ago, moment, word } from "./answer.ts";
import { rows, sheet, table } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Nodes that are shown while a rollout is under way; all are when it has ended. */
const shownLimit = 20;

/** States of nodes that are shown while a rollout is under way. */
const shownStates: readonly RolloutNodeState[] = [
  RolloutNodeState.RUNNING,
  RolloutNodeState.SETTLING,
  RolloutNodeState.FAILED,
];

/** Rollouts for people, newest first. */
export function tableOfRollouts(rollouts: readonly Rollout[], terminal: Terminal, now: number): string {
  return rows(
    terminal,
    ["ID", "STATE", "NODES", "BY", "AGE", "WHY"],
    rollouts.map(({ id, state, counts, actor, startedAt, reason }) => [
      id,
      word(RolloutState, state),
      inNumbers(counts),
      actor,
      ago(startedAt, now),
      reason,
    ]),
    "no rollouts",
  );
}

/** One rollout for people, with all of its nodes. */
export function describeRollout(rollout: Rollout, terminal: Terminal): string {
  const { id, state, reason, actor, startedAt, finishedAt, counts, nodes } = rollout;
  const head = sheet([
    ["id", id],
    ["state", word(RolloutState, state)],
    ["why", reason],
    ["by", actor],
    ["started", moment(startedAt)],
    ["finished", moment(finishedAt)],
    ["nodes", inNumbers(counts)],
  ]);
  return `${head}\n${tableOfNodes(nodes, terminal)}`;
}

/** A rollout that is under way: what is going on, and what went wrong so far. */
export function pictureOf({ id, reason, counts, nodes }: Rollout, terminal: Terminal): string {
  const notable = nodes.filter(
    ({ state, back }) => back?.state === RolloutBackState.RUNNING || shownStates.includes(state),
  );
  const shown = notable.slice(0, shownLimit);
  const more = notable.length > shown.length ? `and ${notable.length - shown.length} more\n` : "";
  const head = `rollout ${id}: ${reason}; ${inNumbers(counts)}\n`;
  return shown.length === 0 ? head : `${head}${tableOfNodes(shown, terminal)}${more}`;
}

/** A line for each node that is elsewhere than before, for logs. */
export function newsOf(before: Rollout | undefined, now: Rollout): string {
  return now.nodes
    .filter((node, at) => stateOf(node) !== stateOf(before?.nodes[at]))
    .map((node) => {
      const said = whatOf(node);
      return `${node.nodeId}  ${stateOf(node)}${said === "" ? "" : `: ${said}`}\n`;
    })
    .join("");
}

const backWords: Readonly<Partial<Record<RolloutBackState, string>>> = {
  [RolloutBackState.RUNNING]: "going back",
  [RolloutBackState.DONE]: "rolled back",
  [RolloutBackState.FAILED]: "not rolled back",
};

/** Where a node is: on its way back, once it is on one. */
function stateOf(node: RolloutNode | undefined): string {
  if (!node) return word(RolloutNodeState, RolloutNodeState.WAITING);
  return node.back ? (backWords[node.back.state] ?? "") : word(RolloutNodeState, node.state);
}

/** The counts of a rollout in words. Those on their way back are among the others, too. */
const counted = {
  ...{
    waiting: "waiting",
    running: "running",
    settling: "settling",
    succeeded: "succeeded",
    failed: "failed",
  },
  ...{
    skipped: "skipped",
    rollingBack: "going back",
    rolledBack: "rolled back",
    notRolledBack: "not rolled back",
  },
} as const;

/** How many nodes are where, in words: `3 succeeded, 1 failed`. */
export function inNumbers(counts: RolloutCounts | undefined): string {
  const names = Object.keys(counted) as (keyof typeof counted)[]; // Exactly its keys.
  const words = names.flatMap((name) => {
    const count = counts?.[name] ?? 0;
    return count === 0 ? [] : [`${count} ${counted[name]}`];
  });
  return words.join(", ");
}

function tableOfNodes(nodes: readonly RolloutNode[], { style, columns }: Terminal): string {
  const paint = (cell: string) => {
    if (/^(succeeded|rolled back)/.test(cell)) return style.good(cell);
    return /^(failed|not rolled back)/.test(cell) ? style.bad(cell) : cell;
  };
  return table(
    [{ title: "NODE" }, { title: "STATE", paint }, { title: "COMMAND" }, { title: "WHAT" }],
    nodes.map((node) => [node.nodeId, stateOf(node), node.back?.commandId || node.commandId, whatOf(node)]),
    { columns, bold: style.bold },
  );
}

/** Why a node failed, or was left out or not brought back; or what was done to its runtimes and agents: `2 create, 1 keep`. */
function whatOf({ failure, runtimes, agents, back, waitsFor }: RolloutNode): string {
  const why = back?.failure ?? failure;
  if (why) return why.message;
  if (waitsFor !== "") return waitsFor;
  const byAction = Map.groupBy([...runtimes, ...agents], ({ action }) => word(PlannedAction, action));
  return [...byAction].map(([action, of]) => `${of.length} ${action}`).join(", ");
}
