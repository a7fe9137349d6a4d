import type { Observed } from "../engine/index.ts";
import { mountsOf, type Wish } from "../wishes/index.ts";
import type { Step } from "./step.ts";

/**
 * The volumes that must be made. The engine fills a new one with what the image has at its place, and one that is not empty never
 * again: one that a create has made may have been filled half when something died, and is made anew. Nothing of a user's is in
 * it, because its program has not run.
 */
export function planVolumes(
  wish: Wish,
  { volumes }: Observed,
  { instanceId, hasContainer }: { instanceId: string; hasContainer: boolean },
): Step[] {
  const isNew = wish.stage === "creating";
  // Those of an update, likewise, until its program runs.
  const maker = isNew ? wish.commandId : wish.started === "" ? wish.probation?.commandId : undefined;
  return mountsOf(wish, instanceId).flatMap(({ volume, name }): Step[] => {
    const there = volumes.find((one) => one.name === volume);
    const isHalf = !hasContainer && maker !== undefined && there?.commandId === maker;
    if (there && !isHalf) return [];
    const which = name === "" ? "volume" : `volume ${name}`;
    const reason = isNew
      ? "it is created"
      : maker !== undefined
        ? "it is updated"
        : `its ${which} had vanished, with its data`;
    const create: Step = { do: "createVolume", volume, reason };
    if (!isHalf) return [create];
    return [{ do: "removeVolume", volume, reason: "it may have been filled half" }, create];
  });
}

/** Volumes of versions that nobody goes back to. Those that are used again by now stay. */
export function planOldVolumes(wish: Wish, { volumes }: Observed, instanceId: string): Step[] {
  if (wish.probation || wish.oldVolumes.length === 0) return [];
  const used = mountsOf(wish, instanceId).map(({ volume }) => volume);
  return volumes
    .filter(({ name }) => wish.oldVolumes.includes(name) && !used.includes(name))
    .map(({ name }) => ({
      do: "dropVolume",
      volume: name,
      reason: "the version that it belonged to is gone for good",
    }));
}
