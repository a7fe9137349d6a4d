import { fromBinary } from "@bufbuild/protobuf";
import { type Result, ResultSchema } from "../../gen/edge/v1/command_pb.ts";
import { EventSchema } from "../../gen/edge/v1/events_pb.ts";
import { FailureKind } from "../../gen/edge/v1/failure_pb.ts";
import { Over } from "./life.ts";
import type { Asked } from "./operator.ts";
import type { Node, World } from "./world.ts";

/** Frames that may wait at one end of a link, whatever happens. */
const mostWaiting = 64;
/** How much later than its budget a command may be answered, in milliseconds: what a crash forgets of it, and a moment. */
const lateMs = 12_000;

/** What was broken in a world that had the time to settle, in one sentence; undefined when all is as it must be. */
export function verdictOn(world: World, strays: readonly unknown[]): string | undefined {
  for (const broken of judgements(world, strays)) return broken;
  return undefined;
}

function* judgements(world: World, strays: readonly unknown[]): Generator<string> {
  yield* [...world.wrongs, ...world.network.wrongs];
  for (const stray of strays) {
    if (!(stray instanceof Over)) yield `a promise failed and nobody heard of it: ${String(stray)}`;
  }
  if (!world.isSettled) yield `${unsettled(world)}, long after the last trouble`;
  if (world.network.mostWaiting > mostWaiting) {
    yield `${world.network.mostWaiting} frames waited at one end of a link`;
  }
  const results = hubResults(world);
  for (const one of world.operator.asked) yield* commandIsKept(world, one, results.get(one.command.id));
  for (const node of [...world.nodes, ...world.clones]) {
    // Who has forgotten what was done may do it again; nobody promises otherwise.
    if (!world.forgetful.has(node.machine.nodeId)) yield* effectsAreRight(world, node, results);
  }
  for (const node of world.nodes) yield* reportsArrived(world, node);
}

function unsettled(world: World): string {
  const hub = world.hub.running;
  if (!hub) return "the hub does not run";
  for (const { machine, daemon } of world.nodes) {
    if (!daemon.running) return `the daemon of ${machine.name} does not run`;
    const { connected, pendingCommands } = hub.fleet.get(machine.nodeId);
    if (!connected) return `${machine.name} is not connected`;
    if (pendingCommands > 0) return `${pendingCommands} commands of ${machine.name} have no result`;
    if (!daemon.running.hasToldAll()) return `${machine.name} still has reports`;
  }
  return "the hub knows another status than a node has";
}

interface AtHub {
  result: Result;
  isExpired: boolean;
}

/** The results that the hub ever wrote, by command. */
function hubResults({ hubMachine }: World): Map<string, AtHub[]> {
  const all = new Map<string, AtHub[]>();
  for (const row of hubMachine.disk.look("SELECT command, result, expired FROM sim_results ORDER BY at")) {
    const of = all.get(String(row.command)) ?? [];
    all.set(String(row.command), of);
    of.push({ result: fromBinary(ResultSchema, row.result as Uint8Array), isExpired: row.expired === 1 });
  }
  return all;
}

/** What the hub promised has one result, and one that may be. */
function* commandIsKept(world: World, { command, isPromised, calledOffAt }: Asked, had: AtHub[] = []) {
  const { id } = command;
  const [one, second] = had;
  if (second) yield `command ${id} got two results at the hub`;
  if (isPromised && !one && !world.isHubPutBack)
    yield `command ${id} was accepted by the hub, and has no result`;
  if (!one) return;
  const { result, isExpired } = one;
  if (result.outcome.case !== "failure") return;
  const { kind, message } = result.outcome.value;
  const isLost = world.forgetful.size + world.clones.length > 0 && kind === FailureKind.UNAVAILABLE;
  const isRight =
    kind === FailureKind.EXHAUSTED || // The handler met a full disk.
    (kind === FailureKind.CANCELLED && calledOffAt !== undefined) ||
    (kind === FailureKind.DEADLINE && (isExpired || result.tookMs >= command.budgetMs)) ||
    isLost;
  if (!isRight) yield `command ${id} was answered with: ${message}`;
}

/** Each command has its one effect where it says so, none where it never arrived, and those of a workload are in order. */
function* effectsAreRight(world: World, { machine }: Node, results: Map<string, AtHub[]>): Generator<string> {
  const { effects } = machine.engine;
  const places = new Map(
    world.hubMachine.disk
      .look("SELECT at, command FROM sim_commands")
      .map(({ at, command }) => [String(command), Number(at)]),
  );
  const mayHaveEnded = new Set(
    world.operator.asked
      .filter(({ calledOffAt }) => calledOffAt !== undefined)
      .map(({ command: { id } }) => id),
  );
  const last = new Map<string, number>();
  for (const { workload, command } of effects) {
    const before = last.get(workload) ?? -1;
    const place = places.get(command);
    if (effects.filter((effect) => effect.command === command).length > 1) {
      yield `command ${command} had two effects on ${machine.name}`;
    }
    if (place === undefined) continue; // The hub was put back to before it.
    // A hub that was put back may have forgotten that it had ended it itself, and sent it after those behind it.
    if (world.isHubPutBack && mayHaveEnded.has(command)) continue;
    if (place < before) yield `command ${command} came after a later one of ${workload} on ${machine.name}`;
    last.set(workload, place);
  }
  const [early] = machine.begunUnaccepted;
  if (early) yield `command ${early} began before it was on the disk of ${machine.name}`;
  const [soon] = machine.begunEarly;
  if (soon)
    yield `command ${soon} began before the result of the one before was on the disk of ${machine.name}`;
  const [again] = machine.handledAfterResult;
  if (again) yield `command ${again} was carried out again after it had its result on ${machine.name}`;
  for (const row of machine.disk.look("SELECT command, result FROM sim_results ORDER BY at")) {
    const { tookMs } = fromBinary(ResultSchema, row.result as Uint8Array);
    const asked = world.operator.asked.find(({ command }) => command.id === String(row.command));
    const stoodMs = 40_000;
    if (asked && tookMs > asked.command.budgetMs + lateMs + stoodMs) {
      yield `command ${String(row.command)} took ${tookMs} ms of a budget of ${asked.command.budgetMs} ms`;
    }
  }
  if (world.clones.length > 0) return;
  for (const { command, nodeId } of world.operator.asked) {
    if (nodeId !== machine.nodeId) continue;
    const [one] = results.get(command.id) ?? [];
    const count = effects.filter((effect) => effect.command === command.id).length;
    if (!one) continue;
    if (one.result.outcome.case !== "failure" && count === 0) {
      yield `command ${command.id} is said to be done, and nothing was`;
    }
    const isFromHub = one.result.outcome.case === "failure" && one.result.tookMs === 0;
    if (isFromHub && one.isExpired && count > 0 && !world.isHubPutBack)
      yield `command ${command.id} expired, and was done`;
  }
}

/** What a node wrote into its journal came to the hub once, in order, and whole but for what a Gap tells. */
function* reportsArrived(world: World, { machine }: Node): Generator<string> {
  if (world.isHubPutBack || world.clones.length > 0 || world.forgetful.has(machine.nodeId)) return;
  const written = machine.disk.look("SELECT sequence, kind, entry FROM sim_journal ORDER BY at");
  const taken = world.hubMachine.disk.look(
    "SELECT sequence, event FROM sim_events WHERE node = ? ORDER BY at",
    machine.nodeId,
  );
  let last = 0;
  const bySequence = new Map<number, Uint8Array>();
  const gaps: { first: bigint; last: bigint }[] = [];
  for (const row of taken) {
    const sequence = Number(row.sequence);
    const bytes = row.event as Uint8Array;
    if (sequence <= last) yield `event ${sequence} of ${machine.name} came to the hub after event ${last}`;
    last = sequence;
    bySequence.set(sequence, bytes);
    const { fact } = fromBinary(EventSchema, bytes);
    if (fact.case === "gap") gaps.push({ first: fact.value.firstSequence, last: fact.value.lastSequence });
  }
  for (const row of written) {
    const sequence = Number(row.sequence);
    if (row.kind !== "event") continue;
    const bytes = bySequence.get(sequence);
    if (bytes && Buffer.compare(bytes, row.entry as Uint8Array) === 0) continue;
    if (gaps.some((gap) => gap.first <= sequence && gap.last >= sequence)) continue;
    yield `event ${sequence} of ${machine.name} never came to the hub`;
  }
  const results = new Set(
    world.hubMachine.disk.look("SELECT command FROM sim_results").map((row) => String(row.command)),
  );
  for (const row of machine.disk.look("SELECT command FROM sim_results")) {
    const id = String(row.command);
    if (!results.has(id)) yield `the result of command ${id} never came to the hub`;
  }
}
