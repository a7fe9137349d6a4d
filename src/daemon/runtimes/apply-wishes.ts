import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import {
  type AppliedRuntimeSchema,
  type ApplyWishesRequest,
  PlannedAction,
} from "../../../gen/edge/v1/wishes_pb.ts";
import { asFailure } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import { abortOf } from "../../base/tasks.ts";
import { toFailureMessage } from "../../wire/failures.ts";
import type { Asker, Wish } from "../wishes/index.ts";
import type { Ask } from "../work/index.ts";
import { checkWishes } from "./check-wishes.ts";
import { create, type Room, remove } from "./commands.ts";
import { locksNow } from "./locked.ts";
import { type Plan, planWishes, sorted, type Wishes } from "./plan-wishes.ts";
import { update } from "./update.ts";
import { calledOff } from "./wait.ts";

/** What is asked of all of them. */
type How = Pick<ApplyWishesRequest, "overrideLock" | "probationMs" | "pull">;

export type Applied = MessageInitShape<typeof AppliedRuntimeSchema> & { action: PlannedAction };

/** What applying would do now, and which locks would refuse it. @throws {Failure} as `applyWishes`. */
export function planNow(room: Room, wishes: Wishes, asker?: Asker): Plan[] {
  const { store, locks, loop } = room;
  const there = store.list();
  const { staying } = sorted(wishes, there);
  checkWishes(room, wishes.runtimes, { staying, there, asker });
  return planWishes(wishes, there, (wish) => locksNow(locks, wish, loop.tended(wish.name).seen));
}

/**
 * So many runtimes are begun at once. One that takes longer waits for something else than the engine (a registry, a LAN, its own
 * health), and makes room for the next: else a registry that hangs would hold up everybody.
 */
const beginning = { atOnce: 16, heldMs: 5_000 };

/**
 * Makes the runtimes what the wishes say; see the contract. Carried out again, it finds what it had done. Those that go are
 * gone before anything is made: ports, addresses and devices that they held may be wanted by others.
 * @throws {Failure} invalid, denied, exhausted: then nothing is done.
 */
export async function applyWishes(
  room: Room,
  { runtimes, prune, absentRuntimes, ...how }: ApplyWishesRequest,
  ask: Ask,
): Promise<Applied[]> {
  const { store } = room;
  const there = store.list();
  const { staying, leaving } = sorted({ runtimes, prune, absentRuntimes }, there, ask.id);
  checkWishes(room, runtimes, { staying, there, asker: ask });
  const gone = store
    .deletedBy(ask.id)
    .filter(
      ({ name }) => !runtimes.some((spec) => spec.name === name) && !leaving.some((one) => one.name === name),
    )
    .map(({ name }): Applied => ({ name, action: PlannedAction.DELETE, interrupted: true }));
  const tell = teller(ask, runtimes.length + leaving.length);
  const gate = new Gate(beginning.atOnce);
  const each = (deeds: readonly Deed[]) =>
    Promise.all(deeds.map((deed) => tell(deed.name, (own) => told(room, deed, gate, own))));
  const deleted = await each(leaving.map((wish) => deleting(room, wish, how)));
  const made = await each(runtimes.map((spec) => making(room, spec, how)));
  // Time that runs out is told in the place of whoever needed it; a command that somebody called off has no answer.
  if (ask.signal.aborted && asFailure(ask.signal.reason).kind !== "deadline") throw ask.signal.reason;
  const ended = [...gone, ...deleted].sort((one, other) => ((one.name ?? "") < (other.name ?? "") ? -1 : 1));
  return [...made, ...ended];
}

/** What is to be done to one runtime. */
interface Deed {
  name: string;
  /** What is tried, for who looks before it is begun. */
  action: (ask: Ask) => PlannedAction;
  /** Does it, when nobody else is at this runtime. */
  work: (ask: Ask) => Promise<Applied>;
}

/** One line tells how far all of them are: how many are done, and what is being done now. */
function teller({ progress, ...ask }: Ask, total: number) {
  let done = 0;
  return async <T>(name: string, work: (own: Ask) => Promise<T>): Promise<T> => {
    const own: Ask = {
      ...ask,
      progress: (phase, doneBytes, totalBytes, detail = "") => {
        const rest = detail === "" ? "" : `, ${detail}`;
        progress(`${done} of ${total} done`, doneBytes, totalBytes, `${name}: ${phase}${rest}`);
      },
    };
    const result = await work(own);
    progress(`${++done} of ${total} done`);
    return result;
  };
}

function making(room: Room, spec: RuntimeSpec, how: How): Deed {
  const { name } = spec;
  const action = (ask: Ask) => actionFor(room, spec, ask);
  return {
    ...{ name, action },
    async work(ask) {
      const tried = action(ask); // Another command may have been at it meanwhile.
      if (tried === PlannedAction.CREATE) {
        await create(room, spec, ask);
        return { name, action: tried };
      }
      const { changes, interrupted } = await update(room, spec, how, ask);
      const isKept = changes.length === 0 && !interrupted;
      return { name, action: isKept ? PlannedAction.KEEP : tried, changes, interrupted };
    },
  };
}

/** A create for what is not there, and for what this command began to create. */
function actionFor({ store }: Pick<Room, "store">, { name }: RuntimeSpec, { id }: Ask): PlannedAction {
  const there = store.get(name);
  const isThere = there !== undefined && there.desired !== "absent";
  const isCreate = !isThere || there.commandId === id || store.endedBy(id, name) !== undefined;
  return isCreate ? PlannedAction.CREATE : PlannedAction.UPDATE;
}

function deleting(room: Room, { name, desired }: Wish, { overrideLock }: How): Deed {
  const action = PlannedAction.DELETE;
  return {
    name,
    action: () => action,
    async work(ask) {
      await remove(room, { name, keepVolume: false, overrideLock }, ask);
      return { name, action, interrupted: desired === "running" };
    },
  };
}

/**
 * What became of one runtime. What went wrong with it stands in its place, and is no failure of the command. When the command's
 * time runs out that is told at once: what is to be undone then is undone while nobody waits.
 */
async function told(room: Room, { name, action, work }: Deed, gate: Gate, ask: Ask): Promise<Applied> {
  const tried = { name, action: action(ask) };
  using end = abortOf(ask.signal);
  try {
    const done = begun(room, gate, ask, () => room.turns.run(name, ask, work));
    const late = end.promise.then(() => Promise.reject(calledOff(room.loop, name, ask.signal)));
    return await Promise.race([done, late]);
  } catch (thrown) {
    const why = asFailure(thrown);
    if (why.kind === "internal")
      room.log.error({ runtime: name, error: thrown }, "applying failed by a defect");
    return { ...tried, failure: toFailureMessage(why) };
  }
}

/** Waits until there is room, and makes room for others after a while. */
async function begun<T>(
  { clock }: Pick<Room, "clock">,
  gate: Gate,
  { signal }: Ask,
  work: () => Promise<T>,
): Promise<T> {
  let ending: Promise<T> | undefined;
  const over = new AbortController();
  await gate.run(signal, async () => {
    ending = work().finally(() => over.abort());
    // Whatever becomes of it is told below.
    await Promise.race([ending.catch(() => {}), clock.sleep(beginning.heldMs, over.signal).catch(() => {})]);
  });
  return await (ending ?? work()); // The gate has begun it.
}
