import type { FleetNode } from "../../gen/edge/v1/fleet_pb.ts";
import { type Rollout, RolloutNodeState } from "../../gen/edge/v1/rollouts_pb.ts";
import { RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../base/failure.ts";
import { fromConnectError } from "../wire/failures.ts";
import { word } from "./answer.ts";
import type { Door } from "./door.ts";
import { askEach, type ManyFlags, missingOf, mustMeanSome, nodesOf, type Told } from "./many-nodes.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import { reasonsOfAgent } from "./why-agents.ts";
import { reasonsOf } from "./why-now.ts";

/** Rollouts that are looked through for why a node has none of a name. */
const looked = 10;

/** Tells of each node whether something of a name is there, and why it is as it is, or why it is not. @throws {Failure} not_found. */
export async function whyMany(run: Run, door: Door, name: string, flags: ManyFlags): Promise<void> {
  const nodes = await nodesOf(run, door, flags);
  mustMeanSome(nodes, flags);
  const told = await askEach(run, nodes, (node) => reasonsAt(door, node, name));
  const isMissing = told.some((one) => "answer" in one && one.answer === "");
  const rollouts = isMissing ? await newestRollouts(run, door) : [];
  const all = told.map((one) => ({ one, says: saidOf(one, name, rollouts) }));
  for (const { one, says } of all) {
    const { id, hostName } = one.node;
    if (run.flags.json) run.terminal.out(`${JSON.stringify({ id, hostName, ...asJson(one), says })}\n`);
    else run.terminal.out(`${id} (${printable(hostName)})\n${indented(says)}`);
  }
  const there = told.filter((one) => "answer" in one && one.answer !== "").length;
  const missing = missingOf(told);
  if (!run.flags.json) {
    run.terminal.out(`it is on ${there} of ${told.length} nodes${missing === "" ? "" : `; ${missing}`}\n`);
  }
  if (there === 0) throw failure("not_found", `no node that answers has a runtime or agent ${name}`);
}

/** Why what bears the name is as it is; empty when there is none. */
async function reasonsAt(door: Door, { id }: FleetNode, name: string): Promise<string> {
  const at = { nodeId: id };
  const found = await Promise.all([
    ifThere(door.ask("getRuntime", { name }, at), ({ runtime }) => reasonsOf(runtime)),
    ifThere(door.ask("getAgent", { name }, at), ({ agent }) => reasonsOfAgent(agent)),
  ]);
  return found.join("");
}

async function ifThere<T>(asking: Promise<T>, tell: (response: T) => string): Promise<string> {
  try {
    return tell(await asking);
  } catch (thrown) {
    const { kind } = fromConnectError(thrown);
    if (kind !== "not_found" && kind !== "unsupported") throw thrown;
    return "";
  }
}

/** The newest rollouts with their nodes, newest first. */
async function newestRollouts({ signal }: Run, door: Door): Promise<Rollout[]> {
  const { rollouts } = await door.rollouts.listRollouts({ limit: looked }, { signal });
  const whole = rollouts.map(async ({ id }) => (await door.rollouts.getRollout({ id }, { signal })).rollout);
  return (await Promise.all(whole)).filter((one) => one !== undefined);
}

function saidOf(one: Told<string>, name: string, rollouts: readonly Rollout[]): string {
  if ("refusal" in one) return `it refuses: ${one.refusal.message}\n`;
  if ("away" in one) return `it is away (${one.away}); ${lastSaid(one.node, name)}\n`;
  return one.answer === "" ? `there is none here: ${whyNot(one.node.id, rollouts)}\n` : one.answer;
}

function lastSaid({ status }: FleetNode, name: string): string {
  const runtime = status?.runtimes.find((one) => one.name === name);
  if (!runtime) return `it told of no runtime ${name}`;
  const reason = runtime.reason === "" ? "" : `: ${runtime.reason}`;
  return `it said last that ${name} is ${word(RuntimePhase, runtime.phase)}${reason}`;
}

/** Why a node has none, as far as rollouts say: the newest in which the node is, and has not succeeded. */
function whyNot(nodeId: string, rollouts: readonly Rollout[]): string {
  for (const { id, nodes } of rollouts) {
    const part = nodes.find((one) => one.nodeId === nodeId);
    if (!part) continue;
    if (part.back) return `rollout ${id} was rolled back here`;
    if (part.state === RolloutNodeState.SUCCEEDED) return `rollout ${id}, the newest here, did not bring it`;
    const why = part.failure ? `: ${part.failure.message}` : "";
    return `in rollout ${id} it is ${word(RolloutNodeState, part.state)}${why}`;
  }
  return "nobody wished for it, as far as the newest rollouts say";
}

function asJson(one: Told<string>) {
  if ("answer" in one) return { isThere: one.answer !== "" };
  return "away" in one ? { away: true } : { refusal: one.refusal.kind };
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `  ${printable(line)}\n`)
    .join("");
}
