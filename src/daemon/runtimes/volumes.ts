import type { Observed } from "../engine/index.ts";
import { mountsOf } from "./mounts.ts";
import type { Step } from "./plan.ts";
import type { Wish } from "./store.ts";

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
  return mountsOf(wish, instanceId).flatMap(({ volume, name }): Step[] => {
    const there = volumes.find((one) => one.name === volume);
    const isHalf = isNew && !hasContainer && there?.commandId === wish.commandId;
    if (there && !isHalf) return [];
    const which = name === "" ? "volume" : `volume ${name}`;
    const reason = isNew ? "it is created" : `its ${which} had vanished, with its data`;
    const create: Step = { do: "createVolume", volume, reason };
    if (!isHalf) return [create];
    return [{ do: "removeVolume", volume, reason: "it may have been filled half" }, create];
  });
}
