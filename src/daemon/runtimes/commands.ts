import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { runtimeLimit } from "../../wire/runtime-spec.ts";
import type { Locks } from "../locks/index.ts";
import type { Network } from "../network/index.ts";
import {
  type Admission,
  admit,
  checkSpec,
  desiredOf,
  differences,
  hashOf,
  keptForm,
  type Store,
  type Wish,
} from "../wishes/index.ts";
import type { Ask } from "../work/index.ts";
import type { Bringing } from "./bring.ts";
import { type Override, refuseLocked } from "./locked.ts";
import type { Loop } from "./loop.ts";
import type { Books } from "./record.ts";
import { recordRolledBack } from "./record-update.ts";
import { undo } from "./trouble.ts";
import type { Turns } from "./turns.ts";
import { isSettled, settled, waitFor } from "./wait.ts";

/**
 * What commands do: they change a wish and wait for the loop. Each may be carried out again after a crash, under the same id,
 * and comes to the same answer. One that is called off leaves its wish as it changed it, but for a create, which is undone.
 */
export interface Room extends Books, Admission, Bringing {
  network: Pick<Network, "macOf" | "netmon" | "changes">;
  loop: Loop;
  clock: Clock;
  log: Logger;
  locks: Locks;
  turns: Turns;
}

/** How long a create that is called off waits until it is undone; what is left then is undone without anybody waiting. */
const undoMs = 60_000;

/** Creates a runtime and waits until it runs. @returns whether this command made it. */
export async function create(room: Room, spec: RuntimeSpec, ask: Ask): Promise<{ created: boolean }> {
  const { store, loop } = room;
  checkSpec(spec);
  await untilNotLeaving(room, spec.name, ask);
  const earlier = store.endedBy(ask.id, spec.name)?.failure;
  if (earlier) throw earlier;
  const there = store.get(spec.name);
  const isOurs = there === undefined || there.commandId === ask.id;
  if (there) refuseDifferent(there, spec, { isOurs });
  else addWish(room, spec, ask);
  loop.ask(spec.name);
  try {
    await untilMade(room, spec.name, there?.commandId ?? ask.id, ask);
    if (!isOurs && there.desired === "running") await settled(loop, spec.name, ask);
  } catch (thrown) {
    throw await callOff(room, spec.name, ask, asFailure(thrown));
  }
  return { created: isOurs };
}

/** Starts a runtime and waits until it runs. One that was asked to start goes on being tried when this fails. */
export async function start(room: Room, name: string, ask: Ask): Promise<void> {
  await theMade(room, name, ask);
  change(room, name, ask, { desired: "running" });
  await settled(room.loop, name, ask);
}

/** Stops a runtime and waits until it has stopped. It stays stopped, whatever becomes of the waiting. */
export async function stop(room: Room, name: string, override: Override, ask: Ask): Promise<void> {
  const wish = await theMade(room, name, ask);
  if (wish.desired === "running") refuseLocked(room, wish, override, ask);
  room.store.atomically(() => {
    // What did not show that it works is not what is started later.
    recordRolledBack(room, wish, failure("conflict", "it was stopped before it was known to be healthy"));
    change(room, name, ask, { desired: "stopped", restartOf: "" });
  });
  await settled(room.loop, name, ask);
}

/** Stops and starts a runtime, once, and waits until it runs. One that is stopped is started. */
export async function restart(room: Room, name: string, override: Override, ask: Ask): Promise<void> {
  const { store, loop } = room;
  const wish = await theMade(room, name, ask);
  if (wish.restartCommandId !== ask.id) {
    // A fresh look first: the start that is asked to end is the one that is.
    const number = loop.ask(name);
    await waitFor(loop, name, ask, ({ answered }) => answered >= number || undefined);
    if (wish.desired === "running") refuseLocked(room, wish, override, ask);
    const restartOf = wish.desired === "running" ? (store.get(name)?.started ?? "") : "";
    change(room, name, ask, { desired: "running", restartCommandId: ask.id, restartOf });
  }
  await settled(loop, name, ask);
}

/** Deletes a runtime and waits until nothing of it is left. @returns what was removed. */
export async function remove(
  room: Room,
  { name, keepVolume, ...override }: Override & { name: string; keepVolume: boolean },
  ask: Ask,
): Promise<readonly string[]> {
  const { store, loop } = room;
  const earlier = store.endedBy(ask.id, name);
  if (earlier) return earlier.removed;
  const there = store.get(name);
  if (!there) throw notThere(name);
  if (there.stage === "undoing") {
    await untilNotLeaving(room, name, ask);
    throw notThere(name);
  }
  refuseLocked(room, there, override, ask);
  change(room, name, ask, { desired: "absent", keepVolume });
  const number = loop.ask(name);
  return await waitFor(loop, name, ask, (tended) => {
    const isOver = isSettled(tended, number) && !store.get(name);
    return isOver ? (store.endedBy(ask.id, name)?.removed ?? []) : undefined;
  });
}

/** Locks a runtime in the name of whoever asks. One that is being created is locked as soon as it runs. */
export async function lock(
  room: Room,
  { name, ...wanted }: { name: string; reason: string; forMs: number },
  ask: Ask,
): Promise<void> {
  await theMade(room, name, ask);
  room.locks.lock({ runtime: name, actor: ask.actor, commandId: ask.id, ...wanted });
}

/** Takes the locks of all operators away. */
export async function unlock(room: Room, name: string, ask: Ask): Promise<void> {
  await theMade(room, name, ask);
  room.locks.unlock({ runtime: name, actor: ask.actor, commandId: ask.id });
}

function notThere(name: string): Error {
  return failure("not_found", `there is no runtime ${name}: list the runtimes to see their names`);
}

/** A wish that is already stored and means the same is fine. @throws {Failure} conflict. */
function refuseDifferent(there: Wish, spec: RuntimeSpec, { isOurs }: { isOurs: boolean }): void {
  const fields = differences(there.spec, spec);
  const { desired } = there;
  // Whether it should run may have been changed since this command made it.
  if (!isOurs && desired !== "absent" && desiredOf(spec, desired) !== desired) fields.push("spec.desired");
  if (fields.length === 0) return;
  const sentence = `runtime ${spec.name} exists with another ${fields.join(", ")}`;
  throw failure("conflict", `${sentence}: update it, or choose another name`);
}

function addWish(room: Room, spec: RuntimeSpec, ask: Ask): void {
  const { store, loop, clock } = room;
  const { name } = spec;
  ask.signal.throwIfAborted();
  if (store.count >= runtimeLimit) {
    throw failure(
      "exhausted",
      `this node has ${runtimeLimit} runtimes, which is its limit: delete one first`,
    );
  }
  admit(room, spec, store.list(), ask);
  const wish = { name, spec: keptForm(spec), specHash: hashOf(spec), desired: desiredOf(spec, "running") };
  store.add({ ...wish, commandId: ask.id, createdAt: clock.now() });
  loop.tended(name).isTouched = false;
}

/** Changes a wish on behalf of a command; what the loop was waiting for is out of date with that. */
function change({ store, loop }: Room, name: string, ask: Ask, update: Parameters<Store["update"]>[1]): void {
  store.update(name, { ...update, actingCommandId: ask.id, endedByItself: false, endsInARow: 0 });
  loop.tended(name).waiting.abort(failure("cancelled", "the wish changed"));
}

/** The wish of this name. @throws {Failure} not_found. */
export function theWish(store: Store, name: string): Wish {
  const wish = store.get(name);
  if (!wish) throw notThere(name);
  return wish;
}

/** The wish of this name when it ran once. @throws {Failure} not_found. */
export async function theMade(room: Room, name: string, ask: Ask): Promise<Wish> {
  const there = room.store.get(name);
  if (!there || there.desired === "absent") throw notThere(name);
  return there.stage === "made" ? there : await untilMade(room, name, there.commandId, ask);
}

/** Waits until what a command creates runs. @throws {Failure} how it ended instead. */
async function untilMade({ store, loop }: Room, name: string, creator: string, ask: Ask): Promise<Wish> {
  return await waitFor(loop, name, ask, () => {
    const wish = store.get(name);
    if (wish?.commandId === creator) return wish.stage === "made" ? wish : undefined;
    throw (
      store.endedBy(creator, name)?.failure ??
      failure("conflict", `runtime ${name} was deleted before it ran`)
    );
  });
}

/**
 * Undoes what this command created and what did not come to run; waits until nothing of it is left, or the engine is away.
 * A daemon that stops calls nothing off: it takes the command up again.
 * @returns why the create failed.
 */
async function callOff(room: Room, name: string, ask: Ask, why: Failure): Promise<Failure> {
  const { store, loop } = room;
  if (loop.signal.aborted) return why;
  const wish = store.get(name);
  if (wish?.commandId !== ask.id || wish.stage === "made") return why;
  const tended = loop.tended(name);
  if (wish.stage === "creating" && wish.desired !== "absent") {
    await untilTaken(room, () => undo(room, tended, wish, why));
  }
  tended.waiting.abort(why);
  loop.ask(name);
  const patience = {
    signal: AbortSignal.any([loop.signal, AbortSignal.timeout(undoMs)]),
    progress: ask.progress,
  };
  const isOver = () => store.get(name)?.commandId !== ask.id || loop.engine.at === "away" || undefined;
  await waitFor(loop, name, patience, isOver).catch(() => {}); // The loop goes on undoing when nobody waits.
  return wish.failure ?? why;
}

/** Between two attempts to write what the disk does not take, in milliseconds. */
const rewriteMs = 2_000;

/** Writes what must be written before anybody is answered, again and again while the disk does not take it. */
async function untilTaken({ clock, loop }: Room, write: () => void): Promise<void> {
  for (;;) {
    try {
      write();
      return;
    } catch (thrown) {
      if (asFailure(thrown).kind === "internal") throw thrown;
      await clock.sleep(rewriteMs, loop.signal);
    }
  }
}

/** Waits while a runtime of this name is being removed. */
async function untilNotLeaving({ store, loop }: Room, name: string, ask: Ask): Promise<void> {
  const leaving = store.get(name);
  if (leaving?.desired !== "absent") return;
  loop.ask(name);
  await waitFor(loop, name, ask, () => store.get(name)?.commandId !== leaving.commandId || undefined);
}
