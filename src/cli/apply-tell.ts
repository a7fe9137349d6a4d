import type { FieldChange } from "../../gen/edge/v1/runtimes_pb.ts";
import {
  type AgentPlan,
  type AppliedAgent,
  type AppliedRuntime,
  type ApplyWishesResponse,
  PlannedAction,
  type PlanWishesResponse,
  type RuntimePlan,
} from "../../gen/edge/v1/wishes_pb.ts";
import { tellLocks } from "../wire/locks.ts";
import { printable } from "./table.ts";
import type { Terminal } from "./terminal.ts";

const signs: Readonly<Partial<Record<PlannedAction, string>>> = {
  [PlannedAction.CREATE]: "+ create",
  [PlannedAction.UPDATE]: "~ update",
  [PlannedAction.KEEP]: "= keep  ",
  [PlannedAction.DELETE]: "- delete",
};

/** What would be done to a runtime or an agent, as it is told. */
interface Told {
  /** `press-1`, or `agent/poet`. */
  name: string;
  action: PlannedAction;
  changes: readonly FieldChange[];
  reason: string;
  /** Whether something that runs would not any more. */
  isLoud: boolean;
  /** What else a reader must know, a line each. */
  more: readonly string[];
}

/** What would be done, for people: a line for each, one for each field that differs, and how many of what. */
export function planned(plan: PlanWishesResponse, { style }: Pick<Terminal, "style">): string {
  const all = [...plan.runtimes.map(ofRuntime), ...plan.agents.map(ofAgent)];
  const width = Math.max(0, ...all.map(({ name }) => name.length));
  const lines = all.flatMap(({ name, action, changes, reason, isLoud, more }) => {
    const line = printable(`${signs[action] ?? "? unknown"}  ${name.padEnd(width)}  ${reason}`);
    const isQuiet = action === PlannedAction.KEEP;
    return [
      isLoud ? style.bad(line) : isQuiet ? line : style.good(line),
      ...changes.map((change) => printable(`            ${toldChange(change)}`)),
      ...more.map((one) => printable(`            ${one}`)),
    ];
  });
  return [...lines, summary(plan).told, ""].join("\n");
}

function ofRuntime({ name, action, interrupts, reason, changes, locks }: RuntimePlan): Told {
  const stops = interrupts && action === PlannedAction.UPDATE ? "; its program is interrupted" : "";
  return {
    ...{ name, action, changes, reason: `${reason}${stops}` },
    isLoud: action === PlannedAction.DELETE || interrupts,
    more: locks.length > 0 ? [`it is locked ${tellLocks(locks)}`] : [],
  };
}

function ofAgent({ name, action, reason, changes, tasks }: AgentPlan): Told {
  const more = tasks === 0 ? [] : [`${tasks} of its tasks are not finished, and would be cancelled`];
  return { name: agentName(name), action, changes, reason, isLoud: action === PlannedAction.DELETE, more };
}

/** A runtime may have the same name. */
function agentName(name: string): string {
  return `agent/${name}`;
}

function toldChange({ field, before, after, inPlace }: FieldChange): string {
  const how = inPlace ? "  (while it goes on)" : "";
  return `${field}  ${before || "nothing"} -> ${after || "nothing"}${how}`;
}

/** How many of what, and whether anything would be done at all. */
export function summary({ runtimes, agents }: PlanWishesResponse): { told: string; isAnything: boolean } {
  const all = [...runtimes, ...agents];
  const count = (action: PlannedAction) => all.filter((one) => one.action === action).length;
  const [creates, updates] = [count(PlannedAction.CREATE), count(PlannedAction.UPDATE)];
  const [keeps, deletes] = [count(PlannedAction.KEEP), count(PlannedAction.DELETE)];
  const told = `${creates} to create, ${updates} to update, ${deletes} to delete, ${keeps} as wished`;
  return { told, isAnything: creates + updates + deletes > 0 };
}

/** What a person is asked before it is done; undefined when nothing is lost or interrupted. */
export function toAsk({ runtimes, agents }: PlanWishesResponse): string | undefined {
  const named = (of: readonly { name: string }[]) => of.map(({ name }) => name).join(", ");
  const deletes = runtimes.filter(({ action }) => action === PlannedAction.DELETE);
  const stops = runtimes.filter(({ action, interrupts }) => action === PlannedAction.UPDATE && interrupts);
  const removes = agents.filter(({ action }) => action === PlannedAction.DELETE);
  const parts = [
    ...(deletes.length > 0 ? [`delete ${named(deletes)} with the data in their volumes`] : []),
    ...(removes.length > 0 ? [`remove agent ${named(removes)} with all versions, and cancel its tasks`] : []),
    ...(stops.length > 0 ? [`interrupt ${named(stops)}`] : []),
  ].join(", and ");
  return parts === "" ? undefined : `${parts[0]?.toUpperCase()}${parts.slice(1)}?`;
}

/** What was done, for people: one line for each runtime and agent. */
export function applied({ runtimes, agents }: ApplyWishesResponse): string {
  return [
    ...runtimes.map((one) => `${one.name}: ${toldResult(one)}`),
    ...agents.map((one) => `${agentName(one.name)}: ${toldDeploy(one)}`),
  ]
    .map((line) => `${printable(line)}\n`)
    .join("");
}

const done: Readonly<Partial<Record<PlannedAction, string>>> = {
  [PlannedAction.CREATE]: "created",
  [PlannedAction.UPDATE]: "updated",
  [PlannedAction.KEEP]: "as wished",
  [PlannedAction.DELETE]: "deleted",
};

function toldResult({ action, changes, interrupted, failure }: AppliedRuntime): string {
  const what = done[action] ?? "unknown";
  if (failure) return `not ${what}: ${failure.message}`;
  if (action !== PlannedAction.UPDATE) return what;
  const how = interrupted ? "its program was interrupted" : "its program went on";
  return `${what}, and ${how} (${changes.map(({ field }) => field).join(", ")})`;
}

function toldDeploy({ action, changes, version, failure }: AppliedAgent): string {
  const what = done[action] ?? "unknown";
  if (failure) return `not ${what}: ${failure.message}`;
  if (action !== PlannedAction.UPDATE) return what;
  return `version ${version} is the current one (${changes.map(({ field }) => field).join(", ")})`;
}
