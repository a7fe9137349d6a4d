import { asFailure, failure } from "../../base/failure.ts";
import { type OwnObject, ownObjects } from "../engine/index.ts";
import type { Ask } from "../work/index.ts";
import * as commands from "./commands.ts";
import { type RemovingHands, remove } from "./remove.ts";
import type { Removal } from "./step.ts";

/** Looks that a purge takes at most: with more, somebody else makes what it removes. */
const maxTurns = 5;
/** Between two looks whether the engine is still there, in milliseconds. */
const lookMs = 2_000;

/** An object as answers name it, as in `container/edge-1a2b3c4d-press`. */
export function nameOf({ kind, name }: OwnObject): string {
  return `${kind}/${name}`;
}

/**
 * Ends all runtimes with their volumes, whatever locks them, then removes whatever else carries this daemon's label, and looks
 * until nothing does. `onFound` gets the names of what is there before any of it is removed.
 * @throws {Failure} unavailable: the engine is away, or went away. What was begun goes on when it is back.
 */
export async function purge(
  room: commands.Room,
  ask: Ask,
  onFound: (names: readonly string[]) => void,
): Promise<void> {
  const look = () => ownObjects(room.engine, room.store.instanceId, ask.signal);
  for (let turn = 0; turn < maxTurns; turn++) {
    const found = await look();
    if (found.length === 0 && room.store.count === 0) return;
    onFound(found.map(nameOf));
    await whileThere(room, ask, (stop) => endAll(room, { ...ask, signal: stop }));
    for (const object of await look()) await removeOne(room, object, ask);
  }
  throw failure("conflict", "something else keeps making objects with this daemon's label on the engine");
}

async function endAll(room: commands.Room, ask: Ask): Promise<void> {
  const ends = room.store.list().map(async ({ name }) => {
    try {
      await commands.remove(room, { name, keepVolume: false, overrideLock: true }, ask);
    } catch (thrown) {
      if (asFailure(thrown).kind !== "not_found") throw thrown; // It was on its way out already.
    }
  });
  await Promise.all(ends);
}

/** Waits for work, but not for an engine that is away: whoever takes a node out of service is told, and asks again. */
async function whileThere(
  { store, engine, clock }: commands.Room,
  { signal }: Ask,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const watch = async () => {
    for (;;) {
      await clock.sleep(lookMs, stop);
      await ownObjects(engine, store.instanceId, stop);
    }
  };
  try {
    await Promise.race([work(stop), watch()]);
  } finally {
    over.abort(failure("cancelled", "nobody waits for it any more"));
  }
}

async function removeOne(
  { engine, log }: commands.Room,
  { kind, id, name }: OwnObject,
  ask: Ask,
): Promise<void> {
  const reason = "the node is taken out of service";
  const step: Removal =
    kind === "container"
      ? { do: "removeContainer", container: id, name, reason }
      : kind === "network"
        ? { do: "removeNetwork", network: id, name, reason }
        : { do: "removeVolume", volume: name, reason };
  log.info({ step: step.do, object: name, reason }, "taking a step");
  const removes = remove[step.do] as (hands: RemovingHands, step: Removal) => Promise<void>; // The key is the step's own.
  await removes({ engine, signal: ask.signal, progress: ask.progress }, step);
}
