import { RuntimeChangeKind } from "../../../gen/edge/v1/events_pb.ts";
import { isUp, type ObservedContainer } from "../engine/index.ts";
import type { Wish } from "../wishes/index.ts";
import { usualPace, wasStoppedForHealth } from "./pace.ts";

/** A fact about a runtime, before it is recorded. */
export interface Change {
  kind: RuntimeChangeKind;
  containerId: string;
  reason: string;
  commandId: string;
  exitCode?: number;
  outOfMemory?: boolean;
}

/** Why something was done: what a step leaves behind for the fact that will be seen of it. */
export interface Cause {
  reason: string;
  commandId: string;
}

/** What was done lately and not seen yet. After a crash there is none, and the fact is told with what can be known. */
export interface Causes {
  started?: Cause;
  recreated?: Cause;
  /** Why it was stopped for its health. */
  unhealthy?: Cause;
  /** How long a run is a good one, in milliseconds; Infinity when the one that ended was not. */
  wellMs?: number;
}

export interface News {
  changes: Change[];
  /** What the wish must remember, in the transaction that records the changes: so each is told once. */
  update: Partial<Wish>;
}

/**
 * What is new about a made runtime's container since the last look. Facts come from what is seen, not from what was done:
 * so none is lost in a crash, none is told twice, and what others do to a container is told too.
 */
export function news(wish: Wish, seen: ObservedContainer | undefined, causes: Causes = {}): News {
  const changes: Change[] = [];
  const update: Partial<Wish> = {};
  if (!seen || wish.stage !== "made") return { changes, update };
  let { started, ended, endedByItself, restarts, oomKills, endsInARow } = wish;
  if (seen.id !== wish.containerId) {
    const vanished = wish.containerId === "" ? "its container was replaced" : "its container had vanished";
    const { reason, commandId } = causes.recreated ?? { reason: vanished, commandId: "" };
    changes.push({ kind: RuntimeChangeKind.RECREATED, containerId: seen.id, reason, commandId });
    // One that never ran, as one that waits for another runtime, did not end either.
    [started, ended, endedByItself] = ["", "", endedByItself || started !== ""];
    update.containerId = seen.id;
  }
  const start = () => {
    if (seen.startedAt === "" || seen.startedAt === started) return;
    const isEngines = endedByItself && seen.restartPolicy !== "no";
    const reason = isEngines
      ? "the engine started it again"
      : "it was started, and not by a step of this daemon";
    const cause = causes.started ?? { reason, commandId: "" };
    changes.push({ kind: RuntimeChangeKind.STARTED, containerId: seen.id, ...cause });
    if (endedByItself) restarts++;
    [started, endedByItself] = [seen.startedAt, false];
  };
  const end = () => {
    if (seen.finishedAt === "" || seen.finishedAt === ended) return;
    const { isByItself, ...change } = endOf({ ...wish, started }, seen, causes.unhealthy);
    changes.push(change);
    [ended, endedByItself] = [seen.finishedAt, isByItself];
    if (isByItself && seen.exitCode !== undefined) {
      const ranMs = Date.parse(seen.finishedAt) - Date.parse(started);
      // What nobody saw end, as in a power cut, says nothing about the program.
      endsInARow = ranMs >= (causes.wellMs ?? usualPace.wellMs) ? 1 : endsInARow + 1;
    }
    update.exitCode = seen.exitCode;
    if (seen.outOfMemory) oomKills++;
  };
  // The moments do not tell which came first: of a program that ends at once, the engine notes the end before the start.
  if (isUp(seen)) {
    end();
    start();
  } else {
    start();
    end();
  }
  if (changes.length > 0)
    Object.assign(update, { started, ended, endedByItself, restarts, oomKills, endsInARow });
  return { changes, update };
}

/** `isByItself`: no command asked for it, so that the next start is the node's. */
function endOf(
  wish: Wish,
  seen: ObservedContainer,
  unhealthy: Cause | undefined,
): Change & { isByItself: boolean } {
  const isRestart = wish.restartOf !== "" && wish.restartOf === wish.started;
  const { exitCode } = seen;
  const base = {
    ...{ containerId: seen.id, outOfMemory: seen.outOfMemory },
    ...(exitCode !== undefined && { exitCode }),
  };
  if (wish.desired !== "running" || isRestart) {
    const reason = wish.desired === "running" ? "a restart was asked for" : `it should be ${wish.desired}`;
    return {
      ...{ ...base, kind: RuntimeChangeKind.STOPPED, reason, commandId: wish.actingCommandId },
      isByItself: false,
    };
  }
  if (wasStoppedForHealth(wish)) {
    const cause = unhealthy ?? { reason: "it was unhealthy", commandId: "" };
    return { ...base, kind: RuntimeChangeKind.STOPPED, ...cause, isByItself: true };
  }
  const memory = seen.outOfMemory ? ", killed for want of memory" : "";
  const code =
    exitCode === undefined ? "; the engine does not know its exit code" : ` with exit code ${exitCode}`;
  const reason = `it ended on its own${code}${memory}`;
  return { ...base, kind: RuntimeChangeKind.EXITED, reason, commandId: "", isByItself: true };
}
