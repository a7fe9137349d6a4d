import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import {
  EngineFailure,
  isEngineAway,
  nothing,
  type Observed,
  type ObservedContainer,
} from "../engine/index.ts";
import { farOf } from "../images/index.ts";
import type { Untold, Wish } from "../wishes/index.ts";
import { type Act, apply } from "./apply.ts";
import { noteUp, whyPaused } from "./ends.ts";
import { withExitCode } from "./exit-code.ts";
import type { Hands } from "./hands.ts";
import { hasDoneAll, wasStoppedForHealth } from "./pace.ts";
import { plan, theContainer } from "./plan.ts";
import { tendProbation } from "./probation.ts";
import { recordEnd, recordMade, takeNews } from "./record.ts";
import { groundOf, noteHolds, situationOf } from "./situation.ts";
import type { Step } from "./step.ts";
import { sweep } from "./sweep.ts";
import type { Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";
import { isMaking, leaveUnplugged, meet } from "./trouble.ts";
import { Unplugged } from "./unplugged.ts";

/** Looks that a round takes at most: with more, somebody else works against it. */
const maxTurns = 12;
/** Before an engine is asked again to set who starts a container, which it refused. */
const trustPauseMs = 60_000;
/**
 * One round for one runtime: look, record what is new, take the missing steps, until nothing is missing. Returns why the next
 * start must wait, when its program ended.
 * @throws {Failure} why a step cannot be done. A create that cannot be fulfilled is undone instead.
 */
export async function round(tools: Tools, tended: Tended): Promise<Failure | undefined> {
  let isVerified = false;
  for (let turn = 0; turn < maxTurns; turn++) {
    const observed = await look(tools, tended);
    const kept = tools.store.get(tended.name);
    if (!kept) {
      await sweep(tools, tended.name, observed);
      return undefined;
    }
    const taken = await takeUp(tools, tended, { wish: kept, observed, isVerified });
    const wish = await tendProbation(tools, tended, taken, observed);
    const seen = theContainer(wish, observed, groundOf(tools));
    noteHolds(tools, tended, wish, seen);
    const steps = plan(wish, observed, situationOf(tools, tended, wish, seen));
    if (steps.length === 0) return tended.pause && seen ? whyPaused(wish, seen) : undefined;
    isVerified = (await takeAll(tools, tended, wish, steps)) === "verified";
  }
  throw failure("conflict", `something else keeps changing the container of runtime ${tended.name}`);
}

async function look({ engine, store, signal }: Tools, tended: Tended): Promise<Observed> {
  const { name } = tended;
  tended.seen = (await engine.look(store.instanceId, name, signal)).get(name) ?? nothing;
  return tended.seen;
}

/** Takes up what is seen into the wish: that a created one runs, and all that is new of a made one. */
async function takeUp(
  tools: Tools,
  tended: Tended,
  { wish, observed, isVerified }: { wish: Wish; observed: Observed; isVerified: boolean },
): Promise<Wish> {
  const seen = theContainer(wish, observed, groundOf(tools));
  noteUp(tended, seen, tools.clock.elapsed());
  noteHolds(tools, tended, wish, seen);
  tools.follow(tended.name, wish, seen);
  if (wish.stage === "creating" && seen && isMade(wish, seen, { isVerified, ...tended })) {
    return recordMade(tools, wish, seen);
  }
  const isUntold = seen !== undefined && seen.finishedAt !== "" && seen.finishedAt !== wish.ended;
  const told = isUntold ? await withExitCode(tools.engine, seen, tools.signal) : seen;
  const wellMs = tended.judged?.health === Health.UNHEALTHY ? Infinity : tools.pace.wellMs;
  const causes = { ...tended.causes, wellMs };
  const taken = takeNews(tools, wish, told, causes);
  if (taken.isTold) tended.causes = {};
  return taken.wish;
}

/** Whether a create has come to its end: its program runs, or has done all it had to, or waits for another runtime. */
function isMade(
  wish: Wish,
  seen: ObservedContainer,
  { isVerified, waitsFor }: { isVerified: boolean; waitsFor: string | undefined },
): boolean {
  if (seen.state === "created") return waitsFor !== undefined || wish.desired === "stopped";
  return isVerified && (seen.state === "running" || hasDoneAll(wish, seen));
}

/** Takes the steps in order, for as long as the wish stays what they were planned from. */
async function takeAll(
  tools: Tools,
  tended: Tended,
  wish: Wish,
  steps: readonly Step[],
): Promise<"verified" | "done"> {
  rememberRemovals(tools, wish, steps);
  tended.waiting = new AbortController();
  const waiting = AbortSignal.any([tools.signal, tended.waiting.signal]);
  const progress: Hands["progress"] = (phase, ...bytes) => {
    for (const tell of tended.tellers) tell(phase, ...bytes);
    tended.far = farOf(...bytes);
    if (tended.doing === phase) return;
    tended.doing = phase;
    tools.notify();
  };
  const hands: Hands = { ...tools, ...groundOf(tools), wish, waiting, progress };
  const isSame = () => isSameWish(wish, tools.store.get(wish.name));
  let verified = false;
  try {
    for (const step of steps) {
      if (!isSame()) return "done";
      if (step.do === "forget") await forget(tools, wish);
      else await take(tools, tended, hands, step);
      verified ||= step.do === "verify";
    }
  } catch (thrown) {
    tools.signal.throwIfAborted();
    if (isSame()) meet(thrown, tools, tended, wish); // Else the wish changed, and the steps are out of date.
  } finally {
    tended.doing = "";
    tended.far = "";
  }
  return verified ? "verified" : "done";
}

async function take(tools: Tools, tended: Tended, hands: Hands, step: Act): Promise<void> {
  const { wish } = hands;
  tools.log.info({ runtime: wish.name, step: step.do, reason: step.reason }, "taking a step");
  if (step.do !== "ensureImage" && step.do !== "awaitNetmon") tended.isTouched = true;
  if (step.do === "createContainer") {
    tended.causes.recreated = { reason: step.reason, commandId: wish.probation?.commandId ?? "" };
  }
  if (step.do === "stopContainer" && wasStoppedForHealth(wish)) {
    const reason = `it was unhealthy: ${tended.judged?.reason ?? "its check failed"}`;
    tended.causes.unhealthy = { reason, commandId: "" };
  }
  if (step.do === "startContainer") {
    const commandId = step.isAsked ? wish.actingCommandId : "";
    tended.causes.started = { reason: step.reason, commandId };
  }
  const does = apply[step.do] as (hands: Hands, step: Act) => Promise<void>; // The key is the step's own.
  try {
    await does(hands, step);
    if (step.do === "attach") tended.unplugged = undefined;
    noteTold(tools, wish, step);
  } catch (thrown) {
    const isNeeded = isMaking(wish) || (wish.probation && thrown instanceof Unplugged && !thrown.isPassing);
    if (thrown instanceof Unplugged && !isNeeded) leaveUnplugged(tools, tended, thrown);
    else if (step.do === "setRestarts" && wish.desired === "running" && isRefusal(thrown)) {
      // Only a precaution: a runtime that runs is as wished without it.
      tools.log.warn({ runtime: wish.name, error: thrown }, "who starts a container again could not be set");
      tended.trustPausedUntil = tools.clock.elapsed() + trustPauseMs;
    } else throw thrown;
  }
}

async function forget(tools: Tools, wish: Wish): Promise<void> {
  await tools.locks.forget(wish.name);
  recordEnd(tools, tools.store.get(wish.name) ?? wish);
}

/** What was changed in place is told with this step. A new container has it all, and so has what is plugged in anew. */
function noteTold({ store }: Tools, { name }: Wish, step: Act): void {
  const told: { readonly [D in Act["do"]]?: readonly Untold[] } = {
    ...{ setLimits: ["limits"], createContainer: ["limits"], attach: ["vnics"], detach: ["vnics"] },
  };
  const left = store.get(name)?.untold ?? [];
  const untold = left.filter((one) => !told[step.do]?.includes(one));
  if (untold.length < left.length) store.update(name, { untold });
}

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof EngineFailure && !isEngineAway(thrown);
}

/** Writes what is going to be removed before it is removed: the answer to a delete names it, whatever crashes. */
function rememberRemovals({ store }: Tools, wish: Wish, steps: readonly Step[]): void {
  if (wish.desired !== "absent") return;
  const named = steps.flatMap((step) => {
    if (step.do === "removeContainer") return `container/${step.name}`;
    if (step.do === "removeNetwork") return `network/${step.name}`;
    return step.do === "removeVolume" ? `volume/${step.volume}` : [];
  });
  const removing = [...new Set([...wish.removing, ...named])];
  if (removing.length > wish.removing.length) store.update(wish.name, { removing });
}

function isSameWish(one: Wish, other: Wish | undefined): boolean {
  return (
    other !== undefined &&
    one.commandId === other.commandId &&
    one.actingCommandId === other.actingCommandId &&
    one.specHash === other.specHash &&
    one.madeHash === other.madeHash &&
    one.desired === other.desired &&
    one.stage === other.stage &&
    one.keepVolume === other.keepVolume
  );
}
