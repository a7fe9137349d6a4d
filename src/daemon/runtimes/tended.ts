import type { Failure } from "../../base/failure.ts";
import type { Observed } from "../engine/index.ts";
import type { Judged } from "../health/index.ts";
import type { Ask } from "../work/index.ts";

import type { Causes } from "./news.ts";

/** What the loop remembers of one runtime between rounds. In memory only: a new life of the daemon learns it again. */
export interface Tended {
  readonly name: string;
  /** Rounds that were asked for, counted; and the count that the last finished round answered. */
  asked: number;
  answered: number;
  /** Whether a round is under way. */
  isBusy: boolean;
  /** The number of its last round, among those of all runtimes. */
  lastRound: number;
  /** What was seen last; undefined until the first look. */
  seen: Observed | undefined;
  /** Whether something may have been made on the engine: until then, undoing is forgetting. */
  isTouched: boolean;
  /** What is being done, as in `pulling image`; empty when nothing is. */
  doing: string;
  /** How far that is, for people; empty when there is nothing to tell. */
  far: string;
  /** Why the last steps were done, for the facts that will be seen of them. */
  causes: Causes;
  /** Why it is not as wished, since the last round that failed. */
  problem: Failure | undefined;
  /** Rounds that failed with this problem, in a row. */
  failures: number;
  /** Until when the next start of a program that ended must wait, since that end; undefined when none must. */
  pause: Pause | undefined;
  /** What the checks of its present run have shown; undefined when nobody checks, or it does not run. */
  judged: (Judged & { startedAt: string }) | undefined;
  /** For whom its start waits, as a sentence. */
  waitsFor: string | undefined;
  /** The start of the container that runs, by the engine's clock, and when this daemon first saw it, monotonic. */
  up: { startedAt: string; since: number } | undefined;
  /** Why its vNICs could not be plugged in, how often in a row, and when to try again. It runs all the same. */
  unplugged: { problem: Failure; failures: number; notBefore: number } | undefined;
  /** Until when the engine is not asked again to set who starts it, which it refused: a moment of the monotonic clock. */
  trustPausedUntil: number;
  /**
   * How far its update is: up to when its time was counted, monotonic, whether the program before it was gone then, how much was
   * used, and what it has come to. The last two are written, too, as soon as the disk takes them.
   */
  counted: { commandId: string; at: number; isGone: boolean; usedMs: number; verdict?: Verdict } | undefined;
  /** Not tried again before this moment of the monotonic clock, unless a command asks. */
  notBefore: number;
  /** Ends what the round may leave half done; a new one for each turn. */
  waiting: AbortController;
  /** Commands that wait for it and want to know how far it is. */
  readonly tellers: Set<Ask["progress"]>;
}

/** What an update has come to. */
export interface Verdict {
  isGood: boolean;
  reason: string;
}

/** The time between a program's end and its next start. */
export interface Pause {
  /** Of which end, by the engine's clock. */
  ended: string;
  /** When it is over: a moment of the monotonic clock, and of the wall's for those who read it. */
  until: number;
  at: number;
}

/** A runtime of which nothing was seen yet. */
export function newTended(name: string, { isTouched }: { isTouched: boolean }): Tended {
  return {
    ...{ name, isTouched, asked: 0, answered: 0, isBusy: false, lastRound: 0, seen: undefined },
    ...{ causes: {}, problem: undefined, failures: 0, pause: undefined, judged: undefined, notBefore: 0 },
    ...{ waitsFor: undefined, up: undefined, unplugged: undefined, trustPausedUntil: 0, counted: undefined },
    ...{ doing: "", far: "" },
    waiting: new AbortController(),
    tellers: new Set(),
  };
}
