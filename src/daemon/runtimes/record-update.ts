import { RuntimeChangeKind } from "../../../gen/edge/v1/events_pb.ts";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import {
  differences,
  type Untold,
  type UpdatePlan,
  type Version,
  versionVolumesOf,
  type Wish,
} from "../wishes/index.ts";
import { type Books, recordChange } from "./record.ts";

/** What was seen of the containers before this one says nothing about the next. */
const unseen = {
  ...{ containerId: "", started: "", ended: "", endedByItself: false, exitCode: undefined, endsInARow: 0 },
  ...{ unhealthyStart: "", restartOf: "", health: Health.UNSPECIFIED },
} satisfies Partial<Wish>;

/** A wish becomes another one. What runs is on probation from now on, until it is confirmed or rolled back. */
export function recordUpdated(
  books: Books,
  wish: Wish,
  next: Version,
  { plan, commandId, limitMs }: { plan: UpdatePlan; commandId: string; limitMs: number },
): void {
  const { store, journal } = books;
  const { name } = wish;
  const { changes, interrupts, isSwap, reason } = plan;
  const untold = isSwap ? [] : untoldOf(wish.spec, next.spec);
  const isVersion = isSwap || untold.length > 0;
  const isOnProbation = next.desired === "running" && isVersion;
  const probation = isOnProbation ? { commandId, isSwap, limitMs, previous: versionOf(wish) } : undefined;
  store.atomically(() => {
    store.update(name, {
      ...versionOf(next),
      ...(isSwap && unseen),
      // A start that is asked for is done at once, and counts from the beginning.
      ...(next.desired !== wish.desired && { endedByItself: false, endsInARow: 0 }),
      ...{ actingCommandId: commandId, probation, probationUsedMs: 0, untold },
      ...(isSwap && !probation && { oldVolumes: oldVolumes(books, wish, wish, next) }),
    });
    store.updates.begin(commandId, name, { changes, interrupted: interrupts, isOver: !probation });
    const fields = changes.map(({ field }) => field).join(", ");
    const kind = RuntimeChangeKind.UPDATED;
    const containerId = isSwap ? "" : wish.containerId;
    const isNamed = isSwap && interrupts && next.desired === "running"; // Why another container is needed says of which.
    const told = isNamed ? reason : `${reason} (${fields})`;
    recordChange(journal, name, { kind, containerId, reason: told, commandId });
  });
}

/** What a wish was updated to stays. */
export function recordConfirmed(books: Books, wish: Wish, reason: string): Wish {
  const { store, journal } = books;
  const { name, probation, containerId } = wish;
  if (!probation) return wish;
  const { commandId, isSwap, previous } = probation;
  const confirmed: Partial<Wish> = {
    ...{ probation: undefined, probationUsedMs: 0 },
    ...(isSwap && { oldVolumes: oldVolumes(books, wish, previous, wish) }),
  };
  store.atomically(() => {
    store.update(name, confirmed);
    store.updates.end(commandId, name);
    const kind = RuntimeChangeKind.CONFIRMED;
    if (isSwap) recordChange(journal, name, { kind, containerId, reason, commandId });
  });
  return { ...wish, ...confirmed };
}

/** A wish becomes again what it was before its update. */
export function recordRolledBack(books: Books, wish: Wish, why: Failure): Wish {
  const { store, journal } = books;
  const { name, probation, containerId } = wish;
  if (!probation) return wish;
  const { commandId, isSwap, previous } = probation;
  const before: Partial<Wish> = {
    ...previous,
    ...{ probation: undefined, probationUsedMs: 0 },
    ...(isSwap
      ? { ...unseen, untold: [], oldVolumes: oldVolumes(books, wish, wish, previous) }
      : { untold: untoldOf(wish.spec, previous.spec) }),
  };
  const told = failure(why.kind, `the update of runtime ${name} was rolled back: ${why.message}`);
  store.atomically(() => {
    store.update(name, before);
    store.updates.end(commandId, name, told);
    const kind = RuntimeChangeKind.ROLLED_BACK;
    recordChange(journal, name, { kind, containerId, reason: why.message, commandId });
  });
  return { ...wish, ...before };
}

function versionOf(wish: Version): Version {
  const { spec, specHash, madeHash, desired, imageId, imageDigest, profileVersion } = wish;
  return { spec, specHash, madeHash, desired, imageId, imageDigest, profileVersion };
}

/** What engine and netmon must be told of, when a wish with its container becomes another one. */
function untoldOf(before: Wish["spec"], after: Wish["spec"]): Untold[] {
  const fields = differences(before, after);
  const known = { "spec.resources": "limits", "spec.vnics": "vnics", "spec.devices": "vnics" } as const;
  const untold = Object.entries(known).flatMap(([field, one]) => (fields.includes(field) ? one : []));
  return [...new Set(untold)];
}

/** More than a version leaves behind; one that cannot be removed for so long goes with its runtime. */
const oldVolumesKept = 32;

/** The volumes that nobody uses any more when a version has gone for good and another one has stayed. */
function oldVolumes(
  { store }: Books,
  { name, oldVolumes }: Wish,
  gone: Version,
  stays: Version,
): readonly string[] {
  const of = (version: Version) => versionVolumesOf({ ...version, name }, store.instanceId);
  const used = new Set(of(stays));
  return [...new Set([...oldVolumes, ...of(gone)])].filter((one) => !used.has(one)).slice(-oldVolumesKept);
}
