import { create } from "@bufbuild/protobuf";
import { TaskChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import { Changes } from "../../base/changes.ts";
import { failure } from "../../base/failure.ts";
import type { Sql } from "../../base/sql.ts";
import { together } from "../../base/together.ts";
import type { Journal } from "../journal/index.ts";
import type { CellIncident } from "../sandbox/index.ts";
import { recordIncident } from "./incident.ts";
import { stateNumber } from "./message.ts";
import { type BlobKind, type Kept, TaskStore } from "./store.ts";
import type { TaskRecord } from "./task.ts";
import { isFinal, type State } from "./transitions.ts";

export interface LedgerOptions {
  sql: Sql;
  journal: Journal;
  now: () => number;
  kept: Kept;
}

/** What changes with a state. */
export interface Change extends Partial<Omit<TaskRecord, "id" | "number" | "state" | "reason">> {
  blobs?: Partial<Record<BlobKind, Uint8Array>>;
  /** Limits that its program met. */
  incidents?: readonly CellIncident[];
}

/** What a commit that is being made did and has still to do. */
interface Draft {
  /** Tasks in memory as they were before; undefined for one that was not there. */
  before: [id: string, task: TaskRecord | undefined][];
  /** What others are told of when it is on disk. */
  after: (() => void)[];
}

/** Finished tasks between two looks at what can be forgotten. */
const pruneEvery = 50;

/**
 * Where tasks are. Every change goes through here: it is on disk with its event and with what follows from it for others, or
 * nothing of it is. Those that are not finished are in memory, too.
 */
export class Ledger {
  readonly store: TaskStore;
  /** Told when any task changed. */
  readonly changes = new Changes();
  readonly #options: LedgerOptions;
  #open: Map<string, TaskRecord>;
  #draft: Draft | undefined;
  readonly #listeners = new Set<(task: TaskRecord) => void>();
  #finished = 0;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.store = new TaskStore(options.sql);
    this.#open = new Map(this.store.unfinished().map((task) => [task.id, task]));
  }

  /** Tasks that are not finished, oldest first. */
  get open(): ReadonlyMap<string, TaskRecord> {
    return this.#open;
  }

  /** The task as it is, finished or not. */
  get(id: string): TaskRecord | undefined {
    return this.#open.get(id) ?? this.store.get(id);
  }

  /** Calls `listener` with each task that comes into its final state, when that is on disk. */
  onFinal(listener: (task: TaskRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Does what `work` does here in one commit with what others want changed in the same turn: all of it or nothing. Resolves when it is
   * on disk. Others have changed tasks between the asking and the doing: so whatever decides is to be looked at in `work`.
   */
  async soon<T>(work: () => T): Promise<T> {
    const draft: Draft = { before: [], after: [] };
    const outcome = await together(
      this.#options.sql,
      () => this.#within(draft, work),
      () => this.#undo(draft),
    );
    for (const tell of draft.after) tell();
    return outcome;
  }

  /** Keeps a new task. */
  add(given: Omit<TaskRecord, "number">, input: Uint8Array): TaskRecord {
    return this.#change((after) => {
      const added = this.store.add(given, input);
      this.#record(added);
      this.#take(added);
      after.push(() => this.changes.notify());
      return added;
    });
  }

  /** Brings a task into another state. @throws {Failure} internal: that may not follow. exhausted, unavailable: the disk. */
  advance(id: string, state: State, reason: string, change: Change = {}): TaskRecord {
    const changed = new Map<string, TaskRecord>();
    const now = (one: string) => changed.get(one) ?? this.#opened(one);
    const put = (task: TaskRecord) => {
      this.store.put(task, now(task.id).state);
      changed.set(task.id, task);
    };
    return this.#change((after) => {
      const { blobs = {}, incidents = [], ...fields } = change;
      put(this.#in(state, { ...now(id), ...fields, reason }));
      for (const [kind, bytes] of Object.entries(blobs)) this.store.putBlob(id, kind as BlobKind, bytes); // Its keys.
      const whose = { agent: now(id).agent, taskId: id };
      for (const incident of incidents) recordIncident(this.#options.journal, whose, incident);
      // What is added while it is walked is walked, too: a failure fails those after it.
      for (const task of changed.values()) {
        if (isFinal(task.state)) this.#follow(task, now, put);
        if (isTold(task)) this.#record(task);
      }
      const finished = [...changed.values()].filter((task) => isFinal(task.state));
      this.#forgetOld(finished.length);
      for (const task of changed.values()) this.#take(task);
      after.push(() => {
        this.changes.notify();
        for (const task of finished) for (const listener of [...this.#listeners]) listener(task);
      });
      return changed.get(id) ?? this.#opened(id);
    });
  }

  /** Notes something about a task that changes nothing for others, nor its state. */
  note(id: string, fields: Partial<TaskRecord>, blobs: Change["blobs"] = {}): void {
    const task = this.get(id);
    if (!task) return; // Forgotten.
    const noted = { ...task, ...fields };
    this.#change((after) => {
      this.store.put(noted, task.state);
      for (const [kind, bytes] of Object.entries(blobs)) this.store.putBlob(id, kind as BlobKind, bytes); // Its keys.
      this.#take(noted);
      after.push(() => this.changes.notify());
    });
  }

  /** A change in a commit of its own, or as a part of the one that is being made. */
  #change<T>(work: (after: Draft["after"]) => T): T {
    if (this.#draft) return work(this.#draft.after);
    const draft: Draft = { before: [], after: [] };
    let outcome: T;
    try {
      outcome = this.#options.sql.transaction(() => this.#within(draft, () => work(draft.after)));
    } catch (thrown) {
      this.#undo(draft);
      throw thrown;
    }
    for (const tell of draft.after) tell();
    return outcome;
  }

  #within<T>(draft: Draft, work: () => T): T {
    this.#draft = draft;
    try {
      return work();
    } finally {
      this.#draft = undefined;
    }
  }

  #undo({ before }: Draft): void {
    if (before.length === 0) return;
    for (const [id, task] of before.toReversed()) {
      if (task) this.#open.set(id, task);
      else this.#open.delete(id);
    }
    this.#open = new Map([...this.#open].sort(([, one], [, other]) => one.number - other.number));
  }

  #in(state: State, task: TaskRecord): TaskRecord {
    return { ...task, state, ...(isFinal(state) && { finishedAt: this.#options.now() }) };
  }

  /** What the end of a task means for those that are to come after it. */
  #follow(ended: TaskRecord, now: (id: string) => TaskRecord, put: (task: TaskRecord) => void): void {
    this.store.dropBlob(ended.id, "input");
    for (const { id } of this.#open.values()) {
      const task = now(id);
      if (!task.waitsFor.includes(ended.id)) continue;
      const waitsFor = task.waitsFor.filter((one) => one !== ended.id);
      if (ended.state === "succeeded") put({ ...task, waitsFor, reason: reasonToWait(waitsFor) });
      else if (task.state === "queued") {
        const reason = `it was to come after ${ended.id}, which did not succeed: it ${wordOf(ended.state)}`;
        put(this.#in("failed", { ...task, reason }));
      }
    }
  }

  #take(task: TaskRecord): void {
    this.#draft?.before.push([task.id, this.#open.get(task.id)]);
    if (isFinal(task.state)) this.#open.delete(task.id);
    else this.#open.set(task.id, task);
  }

  #forgetOld(finished: number): void {
    this.#finished += finished;
    if (this.#finished < pruneEvery) return;
    this.#finished = 0;
    this.store.prune(this.#options.kept);
  }

  #opened(id: string): TaskRecord {
    const task = this.#open.get(id);
    if (!task) throw failure("internal", `task ${id} is finished, or there is none`);
    return task;
  }

  #record({ id, agent, state, attempts, exitCode, outOfMemory, reason, cause }: TaskRecord): void {
    const value = create(TaskChangeSchema, {
      ...{ id, agent, state: stateNumber(state), attempt: attempts, outOfMemory },
      ...(exitCode !== undefined && { exitCode }),
    });
    const commandId = cause === "command" ? id : "";
    this.#options.journal.record({ case: "task", value }, { reason, commandId });
  }
}

/** That it is being started or stopped is a moment on the way, and no fact worth keeping. */
function isTold({ state }: TaskRecord): boolean {
  return state !== "starting" && state !== "stopping";
}

/** Why a task waits that is not tried again. */
export function reasonToWait(waitsFor: readonly string[]): string {
  if (waitsFor.length === 0) return "it waits for its turn";
  const others = waitsFor.length === 1 ? "" : ` and ${waitsFor.length - 1} more`;
  return `it waits for ${waitsFor[0]}${others}`;
}

function wordOf(state: State): string {
  return state === "failed" ? "failed" : state === "cancelled" ? "was cancelled" : "took too long";
}
