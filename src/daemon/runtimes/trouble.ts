import { backoffMs } from "../../base/backoff.ts";
import { asFailure, type Failure } from "../../base/failure.ts";
import { EngineFailure, isEngineAway, isHalfStarted } from "../engine/index.ts";
import { isNamed, type Wish } from "../wishes/index.ts";
import { theContainer } from "./plan.ts";
import { type Books, recordEnd, recordUndoing } from "./record.ts";
import { recordRolledBack } from "./record-update.ts";
import { groundOf } from "./situation.ts";
import type { Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";
import { Unplugged } from "./unplugged.ts";

/** Attempts of a create at what an engine answers both to a hiccup and to what will never work. */
const fewAttempts = 3;
/** Between two attempts to plug in what netmon did not take. */
const plugMs = { firstMs: 1_000, lastMs: 60_000 };

/** A vNIC that cannot be had is no reason to keep a runtime from running, or from going: it is tried again beside. */
export function leaveUnplugged(
  { clock, log, lookIn, random }: Tools,
  tended: Tended,
  problem: Unplugged,
): void {
  const failures = (tended.unplugged?.failures ?? 0) + 1;
  const ms = backoffMs(failures, { ...plugMs, random });
  if (failures === 1)
    log.warn({ runtime: tended.name, reason: problem.message }, "vNICs and devices are not as wished");
  tended.unplugged = { problem, failures, notBefore: clock.elapsed() + ms };
  lookIn(tended.name, ms);
}

/** Whether it is being created, and all of it is needed. */
export function isMaking({ stage, desired }: Wish): boolean {
  return stage === "creating" && desired !== "absent";
}

/** What to do about a step that failed: something else, undo the create, or tell. */
export function meet(thrown: unknown, tools: Tools, tended: Tended, wish: Wish): void {
  const kept = tended.seen && theContainer(wish, tended.seen, groundOf(tools));
  if (kept && isHalfStarted(thrown)) {
    tools.stuck.add(kept.id);
    tools.log.warn({ runtime: wish.name, error: thrown }, "a container cannot be started any more");
    return;
  }
  const limit = thrown instanceof EngineFailure ? thrown.rlimit : undefined;
  if (limit && !isNamed(wish.spec, limit) && !tools.refused.has(limit)) {
    tools.refused.add(limit);
    tools.log.warn({ limit }, "the engine may not raise a limit; runtimes do without it");
    return;
  }
  const mayGiveUp = isMaking(wish) || wish.probation !== undefined;
  if (!mayGiveUp || isWorthAnother(thrown, failuresBefore(tended, thrown))) throw thrown;
  if (wish.probation) recordRolledBack(tools, wish, asFailure(thrown));
  else undo(tools, tended, wish, asFailure(thrown));
}

/** Whether to try again what failed for the `failures + 1`st time in a row, or to give up. */
export function isWorthAnother(thrown: unknown, failures: number): boolean {
  if (thrown instanceof Unplugged) return thrown.isPassing;
  if (!(thrown instanceof EngineFailure)) return false;
  return (
    thrown.retry === "later" || isEngineAway(thrown) || (thrown.retry === "few" && failures + 1 < fewAttempts)
  );
}

/** How often the same went wrong just before: a step that fails after others went well has had no attempt yet. */
export function failuresBefore({ problem, failures }: Tended, thrown: unknown): number {
  return problem?.message === asFailure(thrown).message ? failures : 0;
}

/** Begins to undo a create. One that has not touched the engine is over with that. */
export function undo(books: Books, { isTouched }: Tended, wish: Wish, why: Failure): void {
  recordUndoing(books, wish, why);
  const undone = books.store.get(wish.name);
  if (undone && !isTouched) recordEnd(books, undone);
}
