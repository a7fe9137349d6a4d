import { LockKind, type RuntimeLock } from "../../../gen/edge/v1/locks_pb.ts";
import { failure } from "../../base/failure.ts";
import { tellLocks } from "../../wire/locks.ts";
import type { Observed } from "../engine/index.ts";
import type { Locks } from "../locks/index.ts";
import type { Wish } from "../wishes/index.ts";
import type { Ask } from "../work/index.ts";
import type { Tended } from "./tended.ts";

/** Why a runtime is not to be touched now; its objects as they were seen last. */
export function locksNow(
  locks: Pick<Locks, "of">,
  { spec }: Pick<Wish, "spec">,
  seen: Observed | undefined,
): RuntimeLock[] {
  return locks.of(spec, seen ? priorEndOf(seen) : 0); // What was not seen yet may well run.
}

/** When the run before the present one ended, by the engine's clock: 0 when there was none, undefined when nothing runs. */
function priorEndOf({ containers }: Observed): number | undefined {
  const runs = containers.find(({ state }) => state === "running" || state === "paused");
  return runs && (Date.parse(runs.finishedAt) || 0);
}

/** Whether something is done although a runtime is locked. */
export interface Override {
  overrideLock?: boolean;
}

/**
 * Refuses what would stop a locked runtime, unless whoever asks overrides its locks. A command that has begun goes on.
 * @throws {Failure} conflict.
 */
export function refuseLocked(
  { locks, loop }: { locks: Pick<Locks, "of">; loop: { tended(name: string): Pick<Tended, "seen"> } },
  wish: Wish,
  { overrideLock = false }: Override,
  ask: Pick<Ask, "id">,
): void {
  if (overrideLock || wish.actingCommandId === ask.id) return;
  const { name } = wish;
  const found = locksNow(locks, wish, loop.tended(name).seen);
  if (found.length === 0) return;
  const isOperators = found.some(({ kind }) => kind === LockKind.OPERATOR);
  const unlock = isOperators ? `unlock it with \`orchestrator runtime unlock ${name}\`, ` : "";
  throw failure(
    "conflict",
    `runtime ${name} is locked ${tellLocks(found)}: wait, ${unlock}or do it all the same with --override-lock`,
  );
}
