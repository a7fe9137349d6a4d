import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { LockKind, type RuntimeLock, RuntimeLockSchema } from "../../../gen/edge/v1/locks_pb.ts";
import type { LockFile } from "./lock-file.ts";
import type { OperatorLock } from "./store.ts";
import type { Windows } from "./windows.ts";

/** All that can lock a runtime. */
export interface Sources {
  operatorLocks: readonly OperatorLock[];
  windows: Windows;
  /** What the program of its present run says; undefined when it says nothing. */
  lockFile: LockFile | undefined;
}

/** Why a runtime is not to be touched at a moment: operators first, in the order in which they came. */
export function locksOf({ operatorLocks, windows, lockFile }: Sources, nowMs: number): RuntimeLock[] {
  const locks = operatorLocks.filter((lock) => !hasRunOut(lock, nowMs)).map(operatorLockOf);
  if (!windows.isOpen) {
    const { since, until, isClockWrong } = windows;
    // When a clock will be right, nobody knows.
    const known = isClockWrong ? {} : { since, until };
    locks.push(lockOf(LockKind.WINDOW, { reason: whyClosed(windows, nowMs), ...known }));
  }
  if (lockFile) locks.push(lockOf(LockKind.WORKLOAD, lockFile));
  return locks;
}

/** An operator's lock as the contract tells it. */
export function operatorLockOf({ actor, reason, since, until }: OperatorLock): RuntimeLock {
  return lockOf(LockKind.OPERATOR, { actor, reason, since, until });
}

/** Whether an operator's lock counts no more. */
export function hasRunOut({ until }: Pick<OperatorLock, "until">, nowMs: number): boolean {
  return until !== undefined && until <= nowMs;
}

function whyClosed({ isClockWrong, until }: Windows, nowMs: number): string {
  if (isClockWrong) {
    const says = new Date(nowMs).toISOString().slice(0, 10);
    return `the clock of this machine is wrong (it says ${says}), so that no maintenance window can open`;
  }
  return until === undefined ? "no maintenance window opens any more" : "no maintenance window is open";
}

interface Facts {
  actor?: string;
  reason: string;
  since?: number | undefined;
  until?: number | undefined;
}

function lockOf(kind: LockKind, { actor = "", reason, since, until }: Facts): RuntimeLock {
  return create(RuntimeLockSchema, {
    ...{ kind, actor, reason },
    ...(since !== undefined && { since: timestampFromMs(since) }),
    ...(until !== undefined && { until: timestampFromMs(until) }),
  });
}
