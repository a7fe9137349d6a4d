import { isDeepStrictEqual } from "node:util";
import { byName, type Interface, type Seen } from "./state.ts";

/** What may be told, and what has been seen and is still kept back. */
export interface Settled {
  readonly told: Seen;
  readonly unsettled: ReadonlyMap<string, Unsettled>;
}

/** An interface that is different from what was told of it; undefined when it is gone. Times are of a clock that never jumps. */
interface Unsettled {
  readonly seen: Interface | undefined;
  readonly changedAt: number;
  readonly differsSince: number;
}

export interface SettleOptions {
  /** When it was noticed that there may be something to see. */
  at: number;
  /** How long an interface must have been the same before it is told, in milliseconds. */
  settleMs: number;
}

/** An interface that never comes to rest is told after this many settling times nevertheless. */
const patience = 5;

/** Everything that is seen may be told: a beginning. */
export function allSettled(seen: Seen): Settled {
  return { told: seen, unsettled: new Map() };
}

/**
 * Takes another look into account, each interface for itself. A loss (no carrier any more, or the interface is gone or another
 * one has its name) is told at once: who depends on it can do nothing better than know. Everything else is told when it has been
 * the same for the settling time, so that one cable that is plugged in is one change; a change that went back meanwhile is none.
 * Name servers are told at once, since whoever writes them writes them whole.
 */
export function settle(before: Settled, seen: Seen, { at, settleMs }: SettleOptions): Settled {
  const [told, now] = [byName(before.told), byName(seen)];
  const interfaces: Interface[] = [];
  const unsettled = new Map<string, Unsettled>();
  for (const name of [...new Set([...told.keys(), ...now.keys()])].sort()) {
    const [old, one] = [told.get(name), now.get(name)];
    const waiting = isDeepStrictEqual(old, one) ? undefined : wait(before.unsettled.get(name), one, at);
    const isTold = waiting === undefined || isLoss(old, one) || at >= dueAt(waiting, settleMs);
    if (!isTold) unsettled.set(name, waiting);
    const shown = isTold ? one : old;
    if (shown) interfaces.push(shown);
  }
  return { told: { interfaces, dnsServers: seen.dnsServers }, unsettled };
}

/** When the next interface may be told if nothing happens until then; undefined when none is kept back. */
export function nextDueAt({ unsettled }: Settled, settleMs: number): number | undefined {
  const due = [...unsettled.values()].map((one) => dueAt(one, settleMs));
  return due.length === 0 ? undefined : Math.min(...due);
}

function wait(waiting: Unsettled | undefined, seen: Interface | undefined, at: number): Unsettled {
  if (waiting === undefined) return { seen, changedAt: at, differsSince: at };
  return isDeepStrictEqual(waiting.seen, seen) ? waiting : { ...waiting, seen, changedAt: at };
}

function dueAt({ changedAt, differsSince }: Unsettled, settleMs: number): number {
  return Math.min(changedAt + settleMs, differsSince + patience * settleMs);
}

function isLoss(told: Interface | undefined, seen: Interface | undefined): boolean {
  if (told === undefined) return false;
  return seen === undefined || seen.index !== told.index || (told.carrier && !seen.carrier);
}
