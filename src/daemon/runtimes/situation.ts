import { isUp, type ObservedContainer } from "../engine/index.ts";
import { type Wish, waitsFor } from "../wishes/index.ts";
import { notePause } from "./ends.ts";
import { locksNow } from "./locked.ts";
import type { Situation } from "./plan.ts";
import type { Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";
import { trustOf } from "./trust.ts";

/** What `plan` must know beside a wish and what was seen: whose objects count, and what the engine refuses. */
export function groundOf({ store, refused, stuck }: Pick<Tools, "store" | "refused" | "stuck">) {
  return { instanceId: store.instanceId, refused, stuck };
}

/** What else decides about one runtime, of whose container this was seen. */
export function situationOf(
  tools: Pick<Tools, "store" | "refused" | "stuck" | "network" | "locks" | "clock" | "trustAfterMs" | "pace">,
  tended: Tended,
  wish: Wish,
  seen: ObservedContainer | undefined,
): Situation {
  const { up, unplugged, trustPausedUntil, pause } = tended;
  const now = tools.clock.elapsed();
  const ranMs = seen && isUp(seen) && up?.startedAt === seen.startedAt ? now - up.since : undefined;
  const { trustAfterMs, network, pace } = tools;
  const isPaused = pause !== undefined && pause.ended === seen?.finishedAt && now < pause.until;
  return {
    ...groundOf(tools),
    lan: { netmon: network.netmon, isPaused: unplugged !== undefined && now < unplugged.notBefore },
    // The engine must not hide that a new version ends.
    trust:
      now < trustPausedUntil || wish.probation?.isSwap
        ? undefined
        : trustOf({ ranMs, ...wish }, { trustAfterMs, ...pace }),
    isHeld: isPaused || tended.waitsFor !== undefined,
    isLocked: () => locksNow(tools.locks, wish, tended.seen).length > 0,
  };
}

/** Notes for what the next start has to wait: out a pause, and for others. */
export function noteHolds(
  tools: Pick<Tools, "clock" | "pace" | "lookIn" | "other">,
  tended: Tended,
  wish: Wish,
  seen: ObservedContainer | undefined,
): void {
  const pause = notePause(tended, wish, seen, tools);
  if (pause) tools.lookIn(tended.name, pause.until - tools.clock.elapsed());
  const isToStart = wish.desired === "running" && !(seen && isUp(seen));
  tended.waitsFor = isToStart ? waitsFor(wish.spec.after, tools.other) : undefined;
}

/** Those who waited for another runtime and need not any more; of the others it is noted for whom they wait now. */
export function noLongerWaiting(
  { store, other }: Pick<Tools, "store" | "other">,
  all: Iterable<Tended>,
): Tended[] {
  return [...all].filter((tended) => {
    const wish = tended.waitsFor === undefined ? undefined : store.get(tended.name);
    if (!wish || tended.isBusy) return false;
    tended.waitsFor = waitsFor(wish.spec.after, other);
    return tended.waitsFor === undefined;
  });
}
