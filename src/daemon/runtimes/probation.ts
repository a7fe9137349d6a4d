import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { failure } from "../../base/failure.ts";
import { isUp, type Observed, type ObservedContainer } from "../engine/index.ts";
import { checkOf } from "../health/index.ts";
import type { Wish } from "../wishes/index.ts";
import { isFinal, wasStoppedForHealth } from "./pace.ts";
import { theContainer } from "./plan.ts";
import { wasWritten } from "./record.ts";
import { recordConfirmed, recordRolledBack } from "./record-update.ts";
import { groundOf } from "./situation.ts";
import type { Tended, Verdict } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** What is known of a runtime beside its wish and its container. */
interface Shown extends Pick<Tended, "judged" | "up" | "waitsFor" | "problem"> {
  /** The moment of the look, monotonic. */
  now: number;
  /** How long a program that nobody checks must run, in milliseconds. */
  provenMs: number;
}

/**
 * What an update has come to; undefined for as long as nobody knows. A program whose end nobody saw, as in a power cut, is
 * started again and judged then: it says nothing about the new version.
 */
export function verdictOf(
  wish: Wish,
  seen: ObservedContainer | undefined,
  shown: Shown,
): Verdict | undefined {
  const { probation, probationUsedMs } = wish;
  if (!probation || wish.desired !== "running") return undefined;
  if (!probation.isSwap) {
    return wish.untold.length === 0 ? { isGood: true, reason: "it was changed in place" } : undefined;
  }
  const { limitMs } = probation;
  const ended = verdictOfEnd(wish, seen, shown);
  if (ended) return ended;
  const { judged, up, now } = shown;
  if (seen?.state === "running") {
    if (judged?.startedAt === seen.startedAt && judged.health === Health.HEALTHY) {
      return { isGood: true, reason: judged.reason };
    }
    if (!isChecked(wish, seen)) {
      const ranMs = up?.startedAt === seen.startedAt ? now - up.since : 0;
      const neededMs = Math.min(shown.provenMs, limitMs);
      if (ranMs < neededMs) return undefined; // However late it began: it is not long.
      return { isGood: true, reason: `it has run for ${neededMs / 1000} s, and nobody checks it` };
    }
  }
  if (probationUsedMs < limitMs) return undefined;
  const reason = `it was not healthy within ${limitMs / 1000} s: ${whyNotYet(seen, shown)}`;
  return { isGood: false, reason };
}

function verdictOfEnd(
  wish: Wish,
  seen: ObservedContainer | undefined,
  { judged }: Shown,
): Verdict | undefined {
  const { endedByItself, ended, exitCode } = wish;
  if (!endedByItself || ended === "" || exitCode === undefined) return undefined;
  if (wasStoppedForHealth(wish)) {
    return { isGood: false, reason: `it was unhealthy: ${judged?.reason ?? "its check failed"}` };
  }
  if (exitCode === 0 && isFinal(wish, exitCode)) {
    return { isGood: true, reason: "its program did all that it had to, and ended" };
  }
  const memory = seen?.outOfMemory ? ", killed for want of memory" : "";
  return { isGood: false, reason: `its program ended with exit code ${exitCode}${memory}` };
}

/** Whether anybody will say that it is healthy. A check that nobody asked for counts when it was ever answered. */
function isChecked({ spec, answered }: Wish, { health }: ObservedContainer): boolean {
  const ours = checkOf(spec);
  const isOurs = ours !== undefined && (!ours.isTentative || answered);
  return isOurs || (health !== undefined && spec.health?.disabled !== true);
}

function whyNotYet(seen: ObservedContainer | undefined, { judged, waitsFor, problem }: Shown): string {
  if (seen?.state === "running") return judged?.reason || "no check succeeded";
  return waitsFor ?? problem?.message ?? "it does not run";
}

/** Between two looks at an update that is on probation, in milliseconds; as much of its time may be lost in a crash. */
const tickMs = 1_000;

/** Whether something is to be done about an update: it is known what it has come to, or it is time for a look. */
export function isProbationToDo(
  { clock, provenMs }: Pick<Tools, "clock" | "provenMs">,
  tended: Tended,
  wish: Wish,
  seen: ObservedContainer | undefined,
): boolean {
  const now = clock.elapsed();
  return isDue(wish, tended, now) || verdictOf(wish, seen, { ...tended, now, provenMs }) !== undefined;
}

function isDue({ probation }: Wish, { counted }: Tended, now: number): boolean {
  if (!probation) return false;
  return counted?.commandId !== probation.commandId || now - counted.at >= tickMs;
}

/**
 * Takes an update further: its time is counted, and it is confirmed or rolled back. A disk that does not take that keeps nobody
 * from starting the program again: what is known is written as soon as it can be. @returns the wish as it stands then.
 */
export async function tendProbation(
  tools: Tools,
  tended: Tended,
  wish: Wish,
  observed: Observed,
): Promise<Wish> {
  if (!wish.probation) return wish;
  const counted = count(tools, tended, wish, observed);
  const seen = theContainer(counted, observed, groundOf(tools));
  const { clock, provenMs, log } = tools;
  const known = tended.counted?.verdict;
  const verdict = known ?? verdictOf(counted, seen, { ...tended, now: clock.elapsed(), provenMs });
  if (!verdict) return counted;
  const told = known || verdict.isGood ? verdict : await withLastWords(tools, seen, verdict);
  const isSame = tools.store.get(wish.name)?.probation?.commandId === wish.probation.commandId;
  if (!isSame) return counted;
  if (tended.counted) tended.counted.verdict = told;
  let next = counted;
  wasWritten(log, wish.name, () => {
    next = told.isGood
      ? recordConfirmed(tools, counted, told.reason)
      : recordRolledBack(tools, counted, failure("invalid", told.reason));
  });
  return next;
}

/**
 * Counts the time of an update, and asks for the next look. What counts is from one look to the next, if both found the engine
 * there and the program before it gone: a grace that the old one takes is not the new one's.
 */
function count(tools: Tools, tended: Tended, wish: Wish, { containers }: Observed): Wish {
  const { clock, store, roundIn, log } = tools;
  const { name, probation } = wish;
  const now = clock.elapsed();
  if (!probation) return wish;
  const { commandId, limitMs } = probation;
  const before = tended.counted?.commandId === commandId ? tended.counted : undefined;
  const usedBeforeMs = before?.usedMs ?? wish.probationUsedMs;
  if (!isDue(wish, tended, now)) return { ...wish, probationUsedMs: usedBeforeMs };
  const isGone = !containers.some((one) => isUp(one) && one.specHash !== wish.madeHash);
  const usedMs = Math.round(usedBeforeMs + (before?.isGone ? now - before.at : 0));
  tended.counted = { ...before, commandId, at: now, isGone, usedMs };
  roundIn(name, tickMs);
  const leftMs = Math.max(0, limitMs - usedBeforeMs);
  for (const tell of tended.tellers) tell("on probation", 0, 0, `${Math.ceil(leftMs / 1000)} s left`);
  if (usedMs !== wish.probationUsedMs) {
    wasWritten(log, name, () => store.update(name, { probationUsedMs: usedMs }));
  }
  return { ...wish, probationUsedMs: usedMs };
}

async function withLastWords(
  { engine, signal }: Tools,
  seen: ObservedContainer | undefined,
  { reason, ...verdict }: Verdict,
): Promise<Verdict> {
  const said = seen && (await engine.lastLines(seen.id, signal).catch(() => ""));
  signal.throwIfAborted();
  return { ...verdict, reason: `${reason}; ${said ? `its last output: ${said}` : "it wrote nothing"}` };
}
