import { createHash } from "node:crypto";
import type { FieldChange, RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { asFailure, failure } from "../../base/failure.ts";
import {
  admit,
  checkSpec,
  hashOf,
  keptForm,
  planUpdate,
  profileVersion,
  type Update,
  type UpdatePlan,
  type Version,
  type Wish,
} from "../wishes/index.ts";
import type { Ask } from "../work/index.ts";
import { bring } from "./bring.ts";
import { type Room, theMade, theWish } from "./commands.ts";
import type { Resolved } from "./image.ts";
import { isPluggable } from "./lan.ts";
import { type Override, refuseLocked } from "./locked.ts";
import { recordUpdated } from "./record-update.ts";
import { settled, waitFor, whyCalledOff } from "./wait.ts";

/** How an update is done: see `UpdateRuntimeRequest`. */
export interface UpdateOptions extends Override {
  /** 0 means 90 s. */
  probationMs?: number;
  pull?: boolean;
}

const usualProbationMs = 90_000;

/** What is told of an update of what was as wished. */
const nothing = { changes: [], interrupted: false };

/**
 * Makes a runtime what another wish says, and waits until that is known to be good. The image is brought first, while the old
 * version goes on; then wish and fact are written at once, and the loop does the rest, whoever waits: it confirms the update or
 * rolls it back. Carried out again, it waits for what it began, and tells the same.
 * @throws {Failure} as `UpdateRuntime` of the contract says.
 */
export async function update(
  room: Room,
  spec: RuntimeSpec,
  { probationMs = 0, pull = false, ...override }: UpdateOptions,
  ask: Ask,
): Promise<{ changes: FieldChange[]; interrupted: boolean }> {
  const { store } = room;
  const { name } = spec;
  checkSpec(spec);
  if (!store.updates.by(ask.id, name)) {
    const mayChange = (wish: Wish) => {
      refuseOnProbation(wish);
      refuseLocked(room, wish, override, ask);
    };
    const before = await theMade(room, name, ask);
    const wanted = planUpdate(before, spec);
    if (wanted.changes.length === 0 && !pull) return await untilKept(room, before, ask);
    if (wanted.changes.length > 0) mayChange(before);
    const others = store.list().filter((one) => one.name !== name);
    admit(room, spec, others, ask);
    const image = wanted.isSwap || pull ? await bring(room, before, { spec, pull }, ask) : before;
    if (pull || needsNetmon(wanted)) await untilPluggable(room, [before.spec, spec], ask);
    if (pull || wanted.isSwap) await untilStartable(room, spec, wanted, ask);
    await untilSeen(room, name, ask);
    const wish = await theMade(room, name, ask); // It may have been changed while its image was brought.
    const plan = planUpdate(wish, spec, image);
    if (plan.changes.length === 0) return await untilKept(room, wish, ask);
    mayChange(wish);
    begin(room, wish, { spec, image, plan, limitMs: probationMs || usualProbationMs }, ask);
  }
  return await untilOver(room, name, ask.id, ask);
}

function refuseOnProbation({ name, probation }: Wish): void {
  if (!probation) return;
  const sentence = `an update of runtime ${name} is on probation (command ${probation.commandId})`;
  throw failure("conflict", `${sentence}: wait until it is over`);
}

function needsNetmon({ isSwap, changes }: UpdatePlan): boolean {
  return isSwap || changes.some(({ field }) => field === "spec.vnics" || field === "spec.devices");
}

/** What netmon plugs in is not to be missing from the new version: netmon is waited for before anything is changed. */
async function untilPluggable({ network }: Room, specs: RuntimeSpec[], ask: Ask): Promise<void> {
  if (!specs.some(isPluggable)) return;
  for await (const _ of network.changes.wakes(ask.signal)) if (network.netmon.at === "there") return;
  const trouble = network.netmon.at === "away" ? network.netmon.problem : undefined;
  throw whyCalledOff(asFailure(ask.signal.reason), trouble);
}

/** A program is not stopped for a version that would have to wait for another runtime now. */
async function untilStartable(
  { loop }: Room,
  spec: RuntimeSpec,
  { desired }: UpdatePlan,
  ask: Ask,
): Promise<void> {
  let why: string | undefined;
  for await (const _ of loop.changes.wakes(ask.signal)) {
    why = desired === "running" ? loop.waitsFor(spec) : undefined;
    if (why === undefined) return;
    ask.progress(`not begun: ${why}`);
  }
  throw whyCalledOff(
    asFailure(ask.signal.reason),
    failure("unavailable", `the update was not begun: ${why}`),
  );
}

/** What is changed is what is seen now: an engine that is away is waited for before anything is changed. */
async function untilSeen({ loop }: Room, name: string, ask: Ask): Promise<void> {
  const number = loop.ask(name);
  await waitFor(loop, name, ask, ({ answered }) => answered >= number || undefined);
}

/** Writes the new wish. What the loop was waiting for is out of date with that. */
function begin(
  { store, journal, loop, images }: Room,
  { name }: Wish,
  { spec, image, plan, limitMs }: { spec: RuntimeSpec; image: Resolved; plan: UpdatePlan; limitMs: number },
  { id, signal }: Ask,
): void {
  signal.throwIfAborted();
  const wish = theWish(store, name);
  const specHash = hashOf(spec);
  const next: Version = {
    ...wish,
    ...{ spec: keptForm(spec), specHash, desired: plan.desired },
    ...(plan.isSwap && { madeHash: versionHash(specHash, id), profileVersion }),
    ...{ imageId: image.imageId, imageDigest: image.imageDigest },
  };
  recordUpdated({ store, journal }, wish, next, { plan, commandId: id, limitMs });
  for (const { imageId } of [wish, next]) if (imageId !== "") images.used(name, imageId);
  loop.tended(name).waiting.abort(failure("cancelled", "the wish changed"));
}

/** Marks the containers of one version, also where another one had the same wish: its tag may have moved. */
function versionHash(specHash: string, commandId: string): string {
  return createHash("sha256").update(`${specHash} ${commandId}`).digest("hex");
}

/**
 * What is as wished stays so, unless another command's update to it is rolled back yet: then this one has failed, too. Whoever did
 * not learn what became of an update and asks anew is not told that it is done before it is known.
 */
async function untilKept(room: Room, { name, probation }: Wish, ask: Ask): Promise<typeof nothing> {
  if (probation) await untilOver(room, name, probation.commandId, ask);
  return nothing;
}

/** Waits until it is known what became of a command's update, and all is as wished. @throws {Failure} why it was rolled back. */
async function untilOver({ store, loop }: Room, name: string, commandId: string, ask: Ask): Promise<Update> {
  loop.ask(name);
  ask.letOthers?.(); // A probation may be long, and somebody may have to stop what it is about.
  const update = await waitFor(loop, name, ask, () => {
    const known = store.updates.by(commandId, name);
    return known?.isOver ? known : undefined;
  });
  if (!update.failure) await settled(loop, name, ask);
  // Who is told that it was rolled back finds the old version again, if it can be had at all.
  else await settled(loop, name, ask).catch(() => {});
  if (update.failure) throw update.failure;
  return update;
}
