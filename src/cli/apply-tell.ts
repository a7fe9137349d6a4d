import type { FieldChange } from "../../gen/edge/v1/runtimes_pb.ts";
import {
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

/** What would be done, for people: a line for each runtime, one for each field that differs, and how many of what. */
export function planned(plan: PlanWishesResponse, { style }: Pick<Terminal, "style">): string {
  const width = Math.max(0, ...plan.runtimes.map(({ name }) => name.length));
  const lines = plan.runtimes.flatMap((one) => {
    const { name, action, interrupts, reason, changes, locks } = one;
    const sign = signs[action] ?? "? unknown";
    const stops = interrupts && action === PlannedAction.UPDATE ? "; its program is interrupted" : "";
    const line = printable(`${sign}  ${name.padEnd(width)}  ${reason}${stops}`);
    const isLoud = action === PlannedAction.DELETE || interrupts;
    return [
      isLoud ? style.bad(line) : action === PlannedAction.KEEP ? line : style.good(line),
      ...changes.map((change) => printable(`            ${toldChange(change)}`)),
      ...(locks.length > 0 ? [printable(`            it is locked ${tellLocks(locks)}`)] : []),
    ];
  });
  return [...lines, summary(plan).told, ""].join("\n");
}

function toldChange({ field, before, after, inPlace }: FieldChange): string {
  const how = inPlace ? "  (while it goes on)" : "";
  return `${field}  ${before || "nothing"} -> ${after || "nothing"}${how}`;
}

/** How many of what, and whether anything would be done at all. */
export function summary({ runtimes }: PlanWishesResponse): { told: string; isAnything: boolean } {
  const count = (action: PlannedAction) => runtimes.filter((one) => one.action === action).length;
  const [creates, updates] = [count(PlannedAction.CREATE), count(PlannedAction.UPDATE)];
  const [keeps, deletes] = [count(PlannedAction.KEEP), count(PlannedAction.DELETE)];
  const told = `${creates} to create, ${updates} to update, ${deletes} to delete, ${keeps} as wished`;
  return { told, isAnything: creates + updates + deletes > 0 };
}

/** What a person is asked before it is done; undefined when nothing is lost or interrupted. */
export function toAsk({ runtimes }: PlanWishesResponse): string | undefined {
  const named = (of: RuntimePlan[]) => of.map(({ name }) => name).join(", ");
  const deletes = runtimes.filter(({ action }) => action === PlannedAction.DELETE);
  const stops = runtimes.filter(({ action, interrupts }) => action === PlannedAction.UPDATE && interrupts);
  const parts = [
    ...(deletes.length > 0 ? [`delete ${named(deletes)} with the data in their volumes`] : []),
    ...(stops.length > 0 ? [`interrupt ${named(stops)}`] : []),
  ].join(", and ");
  return parts === "" ? undefined : `${parts[0]?.toUpperCase()}${parts.slice(1)}?`;
}

/** What was done, for people: one line for each runtime. */
export function applied({ runtimes }: ApplyWishesResponse): string {
  return runtimes.map((one) => `${printable(`${one.name}: ${toldResult(one)}`)}\n`).join("");
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
