import type { RuntimeLock } from "../../../gen/edge/v1/locks_pb.ts";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";
import { LockFolders } from "./lock-folders.ts";
import { hasRunOut, locksOf } from "./locks-of.ts";
import { lock, removeRunOut, unlock, type Wanted } from "./operators.ts";
import { OperatorLocks } from "./store.ts";
import { type Windows, windowsAt } from "./windows.ts";

export interface LocksOptions {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  /** Where the folders are made in which programs say that they are not to be touched. */
  folder: string;
  /** The container of a runtime, for what is recorded of it; empty when it has none. */
  containerOf: (runtime: string) => string;
  /** Told when what locks a runtime may have changed. */
  onChange: (runtime: string) => void;
}

/** What a runtime's windows say, which holds until a moment: so it is not worked out each time. */
interface Known {
  key: string;
  from: number;
  windows: Windows;
}

/** Between two times that changes are told: a program may write its lock as often as it likes. */
const coalesceMs = 200;

/** Between two attempts to write what the disk does not take. */
const rewriteMs = 2_000;

/** With a lock that time ends, a clock that somebody set is noticed after so long, at the latest. */
const longestWaitMs = 60_000;

/** What locks the runtimes of this node. At rest it does nothing: the kernel tells of files, a timer of times. */
export class Locks implements Disposable {
  readonly folders: LockFolders;
  readonly #options: LocksOptions;
  readonly #store: OperatorLocks;
  readonly #wakes = new Changes();
  readonly #windows = new Map<string, Known>();
  /** What lock files said when it was told last. */
  readonly #said = new Map<string, string>();
  /** Runtimes whose lock file may have changed. */
  readonly #suspects = new Set<string>();
  /** Runtimes whose locks have changed, and nobody was told yet. */
  readonly #news = new Set<string>();
  #timer = new AbortController();

  constructor(options: LocksOptions) {
    this.#options = options;
    this.#store = new OperatorLocks(options.sql);
    const onChange = (runtime: string) => this.#note(this.#suspects, runtime);
    this.folders = new LockFolders({ ...options, onChange });
  }

  [Symbol.dispose](): void {
    this.#timer.abort();
    this.folders[Symbol.dispose]();
  }

  /**
   * Why a runtime is not to be touched now.
   * @param newerThanMs when the run before its program's present one ended, which decides whether its lock file counts: 0 when
   * there was none, undefined while its program does not run.
   */
  of(
    { name, lockPath, maintenance }: Pick<RuntimeSpec, "name" | "lockPath" | "maintenance">,
    newerThanMs: number | undefined,
  ): RuntimeLock[] {
    const now = this.#options.clock.now();
    const operatorLocks = this.#store.of(name);
    if (operatorLocks.some((one) => hasRunOut(one, now))) this.#wakes.notify();
    const windows = this.#windowsOf(name, maintenance, now);
    const isRead = lockPath !== "" && newerThanMs !== undefined;
    const lockFile = isRead ? this.folders.read(name, newerThanMs) : undefined;
    return locksOf({ operatorLocks, windows, lockFile }, now);
  }

  /** Locks a runtime in somebody's name: see `operators.ts`. */
  lock(wanted: Wanted): void {
    lock(this.#books, wanted, this.#options.clock.now());
    this.#note(this.#news, wanted.runtime);
  }

  /** Takes the locks of all operators away. */
  unlock(asked: Pick<Wanted, "runtime" | "actor" | "commandId">): void {
    unlock(this.#books, asked);
    this.#note(this.#news, asked.runtime);
  }

  /** A runtime is no more. */
  async forget(runtime: string): Promise<void> {
    this.#store.forget(runtime);
    this.#windows.delete(runtime);
    this.#said.delete(runtime);
    await this.folders.remove(runtime);
  }

  /** Tells of what changes, until the signal is aborted. What belongs to no runtime that exists is removed first. */
  async run(signal: AbortSignal, exists: (runtime: string) => boolean): Promise<void> {
    const known = new Set([...this.#store.all().map(({ runtime }) => runtime), ...this.folders.all()]);
    for (const runtime of known) if (!exists(runtime)) await this.forget(runtime);
    for await (const _ of this.#wakes.wakes(signal)) {
      this.#tell();
      await this.#options.clock.sleep(coalesceMs, signal);
    }
  }

  get #books() {
    const { journal, containerOf } = this.#options;
    return { store: this.#store, journal, containerOf };
  }

  #tell(): void {
    const now = this.#options.clock.now();
    for (const runtime of this.#removeRunOut(now)) this.#news.add(runtime);
    for (const [runtime, known] of this.#windows) {
      if (holds(known, now)) continue;
      this.#windows.delete(runtime); // Whoever is told asks again.
      this.#news.add(runtime);
    }
    for (const runtime of this.#suspects) {
      const says = JSON.stringify(this.folders.read(runtime, 0) ?? "");
      if (this.#said.get(runtime) !== says) this.#news.add(runtime);
      this.#said.set(runtime, says);
    }
    const news = [...this.#news];
    for (const set of [this.#suspects, this.#news]) set.clear();
    for (const runtime of news) this.#options.onChange(runtime);
    this.#wakeAtNext(now);
  }

  /** What the disk does not take is tried again: a lock that ran out counts no more all the same. */
  #removeRunOut(now: number): string[] {
    try {
      return removeRunOut(this.#books, now);
    } catch (error) {
      this.#options.log.error({ error }, "that a lock ran out cannot be written");
      return [];
    }
  }

  /** Asks for a wake when the next lock runs out, or the next window opens or closes. */
  #wakeAtNext(now: number): void {
    this.#timer.abort();
    this.#timer = new AbortController();
    const moments = [...this.#store.all(), ...[...this.#windows.values()].map(({ windows }) => windows)];
    const next = Math.min(...moments.map(({ until = Infinity }) => until));
    if (next === Infinity) return;
    const leftMs = next > now ? next - now + 1 : rewriteMs; // One more, because wall time is told in whole milliseconds.
    const waitMs = Math.min(leftMs, longestWaitMs);
    const slept = this.#options.clock.sleep(waitMs, this.#timer.signal);
    void slept.then(
      () => this.#wakes.notify(),
      () => {},
    );
  }

  #windowsOf(runtime: string, maintenance: RuntimeSpec["maintenance"], now: number): Windows {
    const key = JSON.stringify(maintenance.map((one) => [one.cron, String(one.durationMs), one.timeZone]));
    const known = this.#windows.get(runtime);
    if (known?.key === key && holds(known, now)) return known.windows;
    const windows = windowsAt(maintenance, now);
    if (maintenance.length === 0) this.#windows.delete(runtime);
    else this.#windows.set(runtime, { key, from: now, windows });
    if (known || maintenance.length > 0) this.#note(this.#news, runtime);
    return windows;
  }

  #note(runtimes: Set<string>, runtime: string): void {
    runtimes.add(runtime);
    this.#wakes.notify();
  }
}

/** Not before the moment that it was worked out for, either: somebody may have set the clock. */
function holds({ from, windows }: Known, now: number): boolean {
  return now >= from && now < (windows.until ?? Infinity);
}
