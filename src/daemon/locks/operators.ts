import { create } from "@bufbuild/protobuf";
import { RuntimeChangeKind, RuntimeChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import { nameOf, tellLock } from "../../wire/locks.ts";
import type { Journal } from "../journal/index.ts";
import { hasRunOut, operatorLockOf } from "./locks-of.ts";
import type { OperatorLock, OperatorLocks } from "./store.ts";

/** An operator's wish that a runtime is not touched. */
export interface Wanted {
  runtime: string;
  actor: string;
  reason: string;
  /** 0 means until it is taken away. */
  forMs: number;
  commandId: string;
}

/** Where locks and facts about them are kept; one transaction covers both, so that each is told once. */
interface Books {
  store: OperatorLocks;
  journal: Journal;
  /** The container of a runtime; empty when it has none. */
  containerOf: (runtime: string) => string;
}

/** Locks a runtime in somebody's name, in place of his earlier lock. Done once for a command, however often it is asked. */
export function lock(books: Books, { forMs, ...wanted }: Wanted, now: number): void {
  const { store } = books;
  const { runtime, actor, commandId } = wanted;
  const made = { ...wanted, since: now, until: forMs === 0 ? undefined : now + forMs };
  store.atomically(() => {
    const there = store.of(runtime).find((one) => one.actor === actor);
    if (there?.commandId === commandId) return;
    store.put(made);
    const reason = `it was locked ${tellLock(operatorLockOf(made))}`;
    record(books, runtime, RuntimeChangeKind.LOCKED, { reason, commandId });
  });
}

/** Takes the locks of all operators away. */
export function unlock(books: Books, { runtime, actor, commandId }: Omit<Wanted, "reason" | "forMs">): void {
  for (const one of books.store.of(runtime)) {
    const reason = `${nameOf(actor)} took the lock of ${nameOf(one.actor)} away`;
    remove(books, one, { reason, commandId });
  }
}

/** Takes away what has run out. @returns the runtimes that this is about. */
export function removeRunOut(books: Books, now: number): string[] {
  const over = books.store.all().filter((one) => hasRunOut(one, now));
  for (const one of over) {
    remove(books, one, { reason: `the lock of ${nameOf(one.actor)} ran out`, commandId: "" });
  }
  return over.map(({ runtime }) => runtime);
}

interface Why {
  reason: string;
  commandId: string;
}

function remove(books: Books, one: OperatorLock, why: Why): void {
  books.store.atomically(() => {
    books.store.remove(one);
    record(books, one.runtime, RuntimeChangeKind.UNLOCKED, why);
  });
}

function record({ journal, containerOf }: Books, name: string, kind: RuntimeChangeKind, why: Why): void {
  const value = create(RuntimeChangeSchema, { name, kind, containerId: containerOf(name) });
  journal.record({ case: "runtime", value }, why);
}
