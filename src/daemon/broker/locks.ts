import type { Clock } from "../../base/clock.ts";
import { type Failure, failure } from "../../base/failure.ts";
import type { Fences } from "./fences.ts";

interface Lock {
  key: string;
  holder: string;
  fence: number;
  /** Ends the watch over its lease. */
  lease: AbortController;
  waiters: Waiter[];
}

interface Waiter {
  taskId: string;
  leaseMs: number;
  got: PromiseWithResolvers<number>;
}

export interface LockAsk {
  /** The first task of the tree whose lock it is. */
  rootId: string;
  name: string;
  taskId: string;
  leaseMs: number;
  waitMs: number;
}

const usualLeaseMs = 30_000;
const locksPerTree = 1_000;
const waitersPerLock = 256;

/**
 * Locks of trees of tasks. They are kept in memory: when the daemon starts again all are free, and the fences of their next
 * holders are higher all the same.
 */
export class Locks implements Disposable {
  readonly #clock: Clock;
  readonly #fences: Fences;
  readonly #locks = new Map<string, Lock>();

  constructor(clock: Clock, fences: Fences) {
    this.#clock = clock;
    this.#fences = fences;
  }

  /**
   * Takes a lock, or holds it longer, and returns the fence.
   * @throws {Failure} conflict: another task holds it, and did so as long as was to be waited. exhausted: there are too many.
   */
  async acquire({ rootId, name, taskId, leaseMs, waitMs }: LockAsk, signal: AbortSignal): Promise<number> {
    const key = keyOf(rootId, name);
    const lock = this.#locks.get(key);
    if (!lock) {
      this.#checkRoom(rootId);
      return this.#hold({ key, holder: taskId, waiters: [] }, leaseMs);
    }
    if (lock.holder === taskId) {
      this.#watch(lock, leaseMs);
      return lock.fence;
    }
    if (waitMs === 0) throw held(name, lock);
    if (lock.waiters.length >= waitersPerLock) {
      throw failure("exhausted", `${waitersPerLock} tasks wait for the lock ${name}: try again later`);
    }
    return await this.#wait(lock, { name, taskId, leaseMs, waitMs }, signal);
  }

  /** Gives a lock back. One that this task does not hold is the same success. */
  release(rootId: string, name: string, taskId: string): void {
    const lock = this.#locks.get(keyOf(rootId, name));
    if (lock?.holder === taskId) this.#free(lock);
  }

  /** Frees what a task holds, and ends its waiting: it has ended. */
  ended(taskId: string): void {
    for (const lock of [...this.#locks.values()]) {
      const [gone, waiters] = parted(lock.waiters, (one) => one.taskId === taskId);
      lock.waiters = waiters;
      for (const { got } of gone) got.reject(failure("cancelled", "the task ended"));
      if (lock.holder === taskId) this.#free(lock);
    }
  }

  [Symbol.dispose](): void {
    for (const { lease } of this.#locks.values()) lease.abort();
    this.#locks.clear();
  }

  async #wait(
    lock: Lock,
    { name, taskId, leaseMs, waitMs }: Omit<LockAsk, "rootId">,
    signal: AbortSignal,
  ): Promise<number> {
    const over = new AbortController();
    const waiter: Waiter = { taskId, leaseMs, got: Promise.withResolvers() };
    const late = this.#clock.sleep(waitMs, AbortSignal.any([signal, over.signal])).then((): never => {
      throw held(name, lock);
    });
    late.catch(() => {}); // The race below hears of it, or nobody need.
    lock.waiters.push(waiter);
    try {
      return await Promise.race([waiter.got.promise, late]);
    } catch (thrown) {
      const at = lock.waiters.indexOf(waiter);
      if (at >= 0) lock.waiters.splice(at, 1);
      else if (lock.holder === taskId) this.#free(lock); // Given in the same moment, and nobody took it.
      throw thrown;
    } finally {
      over.abort();
    }
  }

  #hold(lock: Pick<Lock, "key" | "holder" | "waiters">, leaseMs: number): number {
    const fence = this.#fences.next();
    const held: Lock = { ...lock, fence, lease: new AbortController() };
    this.#locks.set(lock.key, held);
    this.#watch(held, leaseMs);
    return fence;
  }

  #watch(lock: Lock, leaseMs: number): void {
    lock.lease.abort();
    lock.lease = new AbortController();
    const over = this.#clock.sleep(leaseMs || usualLeaseMs, lock.lease.signal).then(() => this.#free(lock));
    over.catch(() => {}); // It was given back, or is held longer.
  }

  /** Gives a lock to who waited longest, or to nobody. */
  #free(lock: Lock): void {
    lock.lease.abort();
    const next = lock.waiters.shift();
    if (!next) {
      this.#locks.delete(lock.key);
      return;
    }
    lock.holder = next.taskId;
    lock.fence = this.#fences.next();
    this.#watch(lock, next.leaseMs);
    next.got.resolve(lock.fence);
  }

  #checkRoom(rootId: string): void {
    const prefix = keyOf(rootId, "");
    const count = [...this.#locks.keys()].filter((key) => key.startsWith(prefix)).length;
    if (count >= locksPerTree)
      throw failure("exhausted", `this tree of tasks holds ${locksPerTree} locks already`);
  }
}

function parted<T>(all: readonly T[], belongs: (one: T) => boolean): [T[], T[]] {
  return [all.filter(belongs), all.filter((one) => !belongs(one))];
}

/** Ids of tasks have no slash. */
function keyOf(rootId: string, name: string): string {
  return `${rootId}/${name}`;
}

function held(name: string, { holder }: Lock): Failure {
  return failure("conflict", `the lock ${name} is held by task ${holder}: wait for it with wait_ms`);
}
