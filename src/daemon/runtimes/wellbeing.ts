import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import type { ObservedContainer } from "../engine/index.ts";
import { Checks, checkOf, type Judged, type Run } from "../health/index.ts";
import type { Other, Wish } from "../wishes/index.ts";
import { locksNow } from "./locked.ts";
import { theContainer } from "./plan.ts";
import { type Books, recordHealth, wasWritten } from "./record.ts";
import { groundOf } from "./situation.ts";
import type { Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** Sees to it that what runs is checked, and that what the checks show is known and recorded. */
export class Wellbeing implements AsyncDisposable {
  readonly #tools: Tools;
  readonly #tended: (name: string) => Tended;
  readonly #onChange: (name: string) => void;
  readonly #checks: Checks;

  constructor(tools: Tools, on: { tended: (name: string) => Tended; onChange: (name: string) => void }) {
    this.#tools = tools;
    this.#tended = on.tended;
    this.#onChange = on.onChange;
    this.#checks = new Checks({
      ...tools,
      onJudged: (name, startedAt, judged) => this.#judged(name, startedAt, judged, { isOurs: true }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#checks[Symbol.asyncDispose]();
  }

  /** A runtime's container was seen: its run is checked from now on, or what the engine found by itself is taken up. */
  follow(name: string, wish: Wish | undefined, seen: ObservedContainer | undefined): void {
    this.#checks.follow(name, runToCheck(wish, seen));
    const judged = wish && engineJudged(wish, seen);
    if (judged && seen) this.#judged(name, seen.startedAt, judged, { isOurs: false });
    if (wish && seen) this.#restartUnlocked(wish, seen);
  }

  /** One that was unhealthy while it was locked is to be restarted as soon as it is not. */
  #restartUnlocked(wish: Wish, seen: ObservedContainer): void {
    const { judged } = this.#tended(wish.name);
    const isDue = isRestartDue(wish, judged) && judged.startedAt === seen.startedAt;
    if (!isDue || wish.unhealthyStart === seen.startedAt || this.#isLocked(wish)) return;
    const record = () => recordHealth(this.#tools, wish, { ...judged, isLocked: false });
    if (wasWritten(this.#tools.log, wish.name, record)) this.#onChange(wish.name);
  }

  #isLocked(wish: Wish): boolean {
    return locksNow(this.#tools.locks, wish, this.#tended(wish.name).seen).length > 0;
  }

  #judged(name: string, startedAt: string, judged: Judged, { isOurs }: { isOurs: boolean }): void {
    const { store, journal, signal, log } = this.#tools;
    if (signal.aborted || judged.health === Health.UNSPECIFIED) return;
    // What the disk does not take now is told by the next check.
    wasWritten(log, name, () => {
      const isAnswer = isOurs && judged.health === Health.HEALTHY;
      if (isAnswer && store.get(name)?.answered === false) store.update(name, { answered: true });
      const isLocked = (wish: Wish) => this.#isLocked(wish);
      const books = { store, journal, isLocked };
      if (heed(books, this.#tended(name), startedAt, judged)) this.#onChange(name);
    });
  }
}

/** The run of a runtime that the daemon checks by itself; undefined when there is none. */
function runToCheck(wish: Wish | undefined, seen: ObservedContainer | undefined): Run | undefined {
  if (seen?.state !== "running" || wish?.desired !== "running") return undefined;
  const check = checkOf(wish.spec);
  if (!check) return undefined;
  const { id, startedAt, networks } = seen;
  const address = networks.find((one) => one.name === seen.name)?.address ?? "";
  const told = check.isTentative && !wish.answered ? Health.UNSPECIFIED : wish.health;
  return { id, startedAt, address, check, told };
}

/**
 * What the engine found with the image's own check, where that counts: where the daemon checks nothing, or its check is the
 * profile's and was never answered.
 */
function engineJudged(wish: Wish, seen: ObservedContainer | undefined): Judged | undefined {
  if (seen?.state !== "running" || !seen.health || wish.spec.health?.disabled) return undefined;
  const ours = checkOf(wish.spec);
  if (ours && (wish.answered || !ours.isTentative)) return undefined;
  return { ...seen.health, failures: 0 };
}

/** Takes up what checks have shown of a run, and records a change. Says whether anything is new. */
function heed(
  books: Books & { isLocked: (wish: Wish) => boolean },
  tended: Tended,
  startedAt: string,
  judged: Judged,
): boolean {
  const { judged: before } = tended;
  if (before?.startedAt === startedAt && before.health === judged.health && before.reason === judged.reason) {
    return false;
  }
  const wish = books.store.get(tended.name);
  if (wish) recordHealth(books, wish, { ...judged, startedAt, isLocked: books.isLocked(wish) });
  tended.judged = { ...judged, startedAt };
  return true;
}

/** Whether a runtime is unhealthy, and its wish says that it is restarted then. */
export function isRestartDue(
  { spec, desired, stage }: Pick<Wish, "spec" | "desired" | "stage">,
  judged: Tended["judged"],
): judged is NonNullable<Tended["judged"]> {
  const isMeant = desired === "running" && stage === "made" && spec.health?.restarts === true;
  return isMeant && judged?.health === Health.UNHEALTHY;
}

/** How healthy a runtime is, of whose container this was seen. */
export function healthOf(
  judged: Tended["judged"],
  seen: ObservedContainer | undefined,
): { health: Health; healthReason: string } {
  if (!judged || seen?.state !== "running" || seen.startedAt !== judged.startedAt) {
    return { health: Health.UNSPECIFIED, healthReason: "" };
  }
  return { health: judged.health, healthReason: judged.reason };
}

/** What counts of a runtime for those that are started after it. */
export function otherOf(
  tools: Pick<Tools, "store" | "refused" | "stuck">,
  name: string,
  tended: Tended | undefined,
): Other | undefined {
  const wish = tools.store.get(name);
  if (!wish) return undefined;
  const seen = tended?.seen && theContainer(wish, tended.seen, groundOf(tools));
  return {
    desired: wish.desired,
    isRunning: seen?.state === "running" && wish.stage === "made",
    health: healthOf(tended?.judged, seen).health,
    isChecked: runToCheck(wish, seen) !== undefined || seen?.health !== undefined,
  };
}
