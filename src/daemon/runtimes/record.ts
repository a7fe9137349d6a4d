import { create } from "@bufbuild/protobuf";
import {
  type RuntimeChange,
  RuntimeChangeKind,
  RuntimeChangeSchema,
} from "../../../gen/edge/v1/events_pb.ts";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { isUp, type ObservedContainer } from "../engine/index.ts";
import type { Judged } from "../health/index.ts";
import type { Journal } from "../journal/index.ts";
import type { Store, Wish } from "../wishes/index.ts";
import { type Causes, type Change, news } from "./news.ts";

/** Where facts and wishes are kept; one transaction covers both. */
export interface Books {
  store: Store;
  journal: Journal;
}

/** Records what is new about a runtime, and returns its wish as it stands after that. */
export function recordNews(
  { store, journal }: Books,
  wish: Wish,
  seen: ObservedContainer | undefined,
  causes: Causes,
): { wish: Wish; changes: readonly Change[] } {
  const { changes, update } = news(wish, seen, causes);
  if (changes.length > 0) {
    store.atomically(() => {
      for (const change of changes) recordChange(journal, wish.name, change);
      store.update(wish.name, update);
    });
  }
  return { wish: { ...wish, ...update }, changes };
}

/**
 * Writes where nothing may be kept from going on: what the disk does not take is only logged, and written at a later look.
 * @returns whether it was taken.
 */
export function wasWritten(log: Logger, runtime: string, write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    log.error({ runtime, error }, "a fact about a runtime cannot be written");
    return false;
  }
}

/**
 * Records what is new where nothing may be kept from going on. What the disk does not take is acted upon all the same: a program
 * that ended is started again on a full disk, too.
 */
export function takeNews(
  { log, ...books }: Books & { log: Logger },
  wish: Wish,
  seen: ObservedContainer | undefined,
  causes: Causes,
): { wish: Wish; isTold: boolean } {
  const isTold = wasWritten(log, wish.name, () => recordNews(books, wish, seen, causes));
  return { wish: { ...wish, ...news(wish, seen, causes).update }, isTold };
}

/** A runtime ran for the first time: from now on it is kept alive. */
export function recordMade({ store, journal }: Books, wish: Wish, seen: ObservedContainer): Wish {
  // What a power cut ended in the middle of its create is not worth a fact: it runs now.
  const ended = isUp(seen) ? seen.finishedAt : "";
  const made: Wish = { ...wish, stage: "made", containerId: seen.id, ended };
  const cause = { reason: "it was created", commandId: wish.commandId };
  return store.atomically(() => {
    const kind = RuntimeChangeKind.CREATED;
    recordChange(journal, wish.name, { kind, containerId: seen.id, ...cause });
    store.update(wish.name, { stage: "made", containerId: seen.id });
    return recordNews({ store, journal }, made, seen, { started: cause }).wish;
  });
}

/** A wish cannot be fulfilled: nothing of it may be left. */
export function recordUndoing({ store }: Books, wish: Wish, why: Failure): void {
  store.update(wish.name, { desired: "absent", stage: "undoing", failure: why });
}

/** A made runtime should run and cannot. A fact that the disk does not take is only logged: the loop goes on. */
export function recordFailed(
  { store, journal, log }: Books & { log: Logger },
  name: string,
  why: Failure,
): void {
  wasWritten(log, name, () => {
    const wish = store.get(name);
    if (wish?.desired !== "running" || wish.stage !== "made") return;
    const kind = RuntimeChangeKind.FAILED;
    recordChange(journal, name, { kind, containerId: wish.containerId, reason: why.message, commandId: "" });
  });
}

/**
 * Records that a runtime became healthy, or is no longer; one that is to be restarted for that is remembered as such, but for a
 * locked one.
 */
export function recordHealth(
  { store, journal }: Books,
  wish: Wish,
  { health, reason, startedAt, isLocked }: Judged & { startedAt: string; isLocked: boolean },
): void {
  const kind = healthKinds[health];
  if (kind === undefined || wish.desired !== "running" || wish.stage !== "made") return;
  const isToEnd = health === Health.UNHEALTHY && wish.spec.health?.restarts === true && !isLocked;
  store.atomically(() => {
    if (isToEnd && wish.unhealthyStart !== startedAt) store.update(wish.name, { unhealthyStart: startedAt });
    if (wish.health === health) return;
    store.update(wish.name, { health });
    recordChange(journal, wish.name, { kind, containerId: wish.containerId, reason, commandId: "" });
  });
}

const healthKinds: Partial<Record<Health, RuntimeChangeKind>> = {
  [Health.HEALTHY]: RuntimeChangeKind.HEALTHY,
  [Health.UNHEALTHY]: RuntimeChangeKind.UNHEALTHY,
};

/** Nothing is left of a runtime. */
export function recordEnd({ store, journal }: Books, wish: Wish): void {
  const { name, keepVolume, removing: removed } = wish;
  const isUndone = wish.stage === "undoing";
  const why = wish.failure ?? failure("internal", "creating it failed, and nobody said why");
  const commandId = isUndone ? wish.commandId : wish.actingCommandId;
  store.atomically(() => {
    recordChange(journal, name, {
      kind: isUndone ? RuntimeChangeKind.UNDONE : RuntimeChangeKind.DELETED,
      reason: isUndone ? why.message : "it was deleted",
      ...{ containerId: "", commandId },
    });
    if (wish.probation) store.updates.end(wish.probation.commandId, name, deletedMeanwhile(name));
    store.end(name, { commandId, keepVolume, removed, failure: isUndone ? why : undefined });
  });
}

function deletedMeanwhile(name: string): Failure {
  return failure("conflict", `runtime ${name} was deleted while its update was on probation`);
}

/** Writes one fact about a runtime. */
export function recordChange(journal: Journal, name: string, { reason, commandId, ...change }: Change): void {
  const value: RuntimeChange = create(RuntimeChangeSchema, { name, ...change });
  journal.record({ case: "runtime", value }, { reason, commandId });
}
