import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RuntimeLock } from "../../../gen/edge/v1/locks_pb.ts";
import type { Label, RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { PlannedAction, type RuntimePlanSchema } from "../../../gen/edge/v1/wishes_pb.ts";
import { isSelected } from "../../wire/selector.ts";
import { planUpdate, type Wish } from "../wishes/index.ts";

/** What a node should run, in whole or in part. */
export interface Wishes {
  runtimes: readonly RuntimeSpec[];
  prune: readonly Label[];
  /** Names of those that are not to be there. */
  absentRuntimes?: readonly string[];
}

/** Who stays beside what is wished for, and who goes. */
export interface Sorted {
  staying: Wish[];
  leaving: Wish[];
}

/**
 * Sorts the runtimes that are not mentioned. One that another command deletes is no part of it any more; one that `commandId`
 * deletes is still to go.
 */
export function sorted(
  { runtimes, prune, absentRuntimes = [] }: Wishes,
  there: readonly Wish[],
  commandId = "",
): Sorted {
  const mentioned = new Set(runtimes.map(({ name }) => name));
  const others = there.filter(
    ({ name, desired, actingCommandId }) =>
      !mentioned.has(name) && (desired !== "absent" || actingCommandId === commandId),
  );
  const isLeaving = ({ name, spec }: Wish) =>
    absentRuntimes.includes(name) || (prune.length > 0 && isSelected(spec.labels, prune));
  return {
    staying: others.filter((wish) => !isLeaving(wish)),
    leaving: others.filter(isLeaving),
  };
}

export type Plan = MessageInitShape<typeof RuntimePlanSchema> & { action: PlannedAction };

/** What would be done to each runtime, in the order of the wishes, then those that go. */
export function planWishes(
  wishes: Wishes,
  there: readonly Wish[],
  locksOf: (wish: Wish) => RuntimeLock[],
): Plan[] {
  const plans = wishes.runtimes.map((spec) => planOne(spec, standing(there, spec.name), locksOf));
  const labels = wishes.prune.map(({ key, value }) => `${key}=${value}`).join(", ");
  const deletes = sorted(wishes, there).leaving.map((wish): Plan => {
    const reason = `it is not mentioned, and has the label ${labels}`;
    const interrupts = wish.desired === "running";
    return { name: wish.name, action: PlannedAction.DELETE, interrupts, reason, locks: locksOf(wish) };
  });
  return [...plans, ...deletes];
}

/** The wish of this name, unless it is being deleted or undone. */
export function standing(there: readonly Wish[], name: string): Wish | undefined {
  return there.find((wish) => wish.name === name && wish.desired !== "absent");
}

function planOne(spec: RuntimeSpec, there: Wish | undefined, locksOf: (wish: Wish) => RuntimeLock[]): Plan {
  const { name } = spec;
  if (!there) return { name, action: PlannedAction.CREATE, reason: "there is none of this name" };
  const { changes, interrupts, reason } = planUpdate(there, spec);
  if (changes.length === 0) return { name, action: PlannedAction.KEEP, reason };
  return { name, action: PlannedAction.UPDATE, changes, interrupts, reason, locks: locksOf(there) };
}
