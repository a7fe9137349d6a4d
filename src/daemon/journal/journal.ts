import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Result, ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import { type Event, EventSchema, type JournalEvent } from "../../../gen/edge/v1/events_pb.ts";
import { Changes } from "../../base/changes.ts";
import { beginning } from "../../base/evidence.ts";
import { failure } from "../../base/failure.ts";
import { newId } from "../../base/ids.ts";
import type { Schema, Sql } from "../../base/sql.ts";
import { maxReasonBytes } from "../../wire/limits.ts";
import { type JournalLimit, makeRoom } from "./bound.ts";
import { readHistory, subjectOfEvent } from "./history.ts";

/** The journal's tables. `gap` is an event that stands for entries that were dropped. */
export const schema: Schema = {
  room: "journal",
  migrations: [
    `CREATE TABLE journal (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL) STRICT;
     CREATE TABLE journal_entries (
       sequence INTEGER PRIMARY KEY,
       kind TEXT NOT NULL CHECK (kind IN ('result', 'event', 'gap')),
       entry BLOB NOT NULL
     ) STRICT;`,
    `ALTER TABLE journal ADD COLUMN acknowledged INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE journal_entries ADD COLUMN runtime TEXT NOT NULL DEFAULT '';
     CREATE INDEX journal_entries_by_runtime ON journal_entries (runtime, sequence) WHERE runtime <> '';
     CREATE INDEX journal_results ON journal_entries (sequence) WHERE kind = 'result';`,
  ],
};

/** What the journal holds: the answer to a command, or a fact. */
export type Entry = { case: "result"; value: Result } | { case: "event"; value: Event };

/** An entry with its place. */
export interface Kept {
  sequence: number;
  entry: Entry;
  /** Its encoded size in bytes, without the frame around it. */
  sizeBytes: number;
}

/** What an event tells beside its fact. */
interface Circumstances {
  reason: string;
  commandId?: string;
  at?: Timestamp;
}

export interface JournalOptions {
  /** Wall time in milliseconds since 1970, which stamps the events. */
  now: () => number;
  /** Told of each event while it is written: what it writes is on disk with the event, and what it throws undoes both. */
  witness?: (event: Event) => void;
  /** At this size the oldest events are dropped and a Gap event says so; results go only when no event is left. */
  limit?: JournalLimit;
  /** Of what the hub has, the events among the newest this many entries stay, for readers at the node. 5000 when absent. */
  history?: number;
}

const defaultLimit: JournalLimit = { entries: 100_000, bytes: 64 << 20 };

/** A batch that a reader holds in memory, in bytes; one larger entry still comes alone. */
const batchBytes = 1 << 20;

/**
 * Results and events in order. Its place in the state file is all that it has open: it closes with the file.
 *
 * Acknowledged entries are not read for the hub again; with the next append, all of them leave the disk but the history: paying
 * a disk write for an acknowledgement buys nothing, because one that is forgotten in a crash comes again with the next Welcome.
 */
export class Journal {
  /** Told when an entry was written, or the hub has more of them. */
  readonly changes = new Changes();
  readonly #sql: Sql;
  readonly #now: () => number;
  readonly #witness: JournalOptions["witness"];
  readonly #limit: JournalLimit;
  readonly #history: number;
  #id: string;
  #acknowledged: number;
  #removed: number;
  /** An upper bound of what is held; exact sizes are counted only when it says that the limit may be reached. */
  #atMost: JournalLimit = { entries: 0, bytes: 0 };
  #telling = false;

  private constructor(sql: Sql, { now, witness, limit = defaultLimit, history = 5_000 }: JournalOptions) {
    this.#sql = sql;
    this.#now = now;
    this.#witness = witness;
    this.#limit = limit;
    this.#history = history;
    const row = sql.get("SELECT id, acknowledged FROM journal");
    this.#id = row ? String(row.id) : newId("journal");
    this.#acknowledged = Number(row?.acknowledged ?? 0);
    this.#removed = this.#acknowledged;
    if (!row) sql.run("INSERT INTO journal (one, id) VALUES (1, ?)", this.#id);
    this.#atMost = this.#measure();
  }

  static open(sql: Sql, options: JournalOptions): Journal {
    return new Journal(sql, options);
  }

  /** Names this sequence of numbers. A new state file has a new one. */
  get id(): string {
    return this.#id;
  }

  /** First and last sequence number of what the hub does not have yet; 0 and 0 when it has all. */
  range(): { first: number; last: number } {
    const row = this.#sql.get(
      "SELECT MIN(sequence) AS first, MAX(sequence) AS last FROM journal_entries WHERE sequence > ?",
      this.#acknowledged,
    );
    return { first: Number(row?.first ?? 0), last: Number(row?.last ?? 0) };
  }

  /**
   * Appends an entry and says its sequence number. On disk when this returns, or with the surrounding transaction.
   * Listeners of `changes` are told in a microtask, so never before the transaction has ended.
   * @throws {Failure} exhausted: the disk is full. unavailable: it cannot be written.
   */
  append(entry: Entry): number {
    const bytes =
      entry.case === "result" ? toBinary(ResultSchema, entry.value) : toBinary(EventSchema, entry.value);
    const needsRoom =
      this.#atMost.entries + 1 > this.#limit.entries || this.#atMost.bytes + bytes.length > this.#limit.bytes;
    const subject = entry.case === "event" ? subjectOfEvent(entry.value) : "";
    const sequence =
      !needsRoom && this.#removed === this.#acknowledged
        ? this.#insert(entry.case, bytes, subject)
        : this.#sql.atomically(() => {
            const inserted = this.#insert(entry.case, bytes, subject);
            // The history is the first to go.
            this.#forget(needsRoom ? 0 : this.#history);
            if (needsRoom) {
              this.#atMost = this.#measure();
              if (makeRoom(this.#sql, this.#atMost, this.#limit, this.#now())) this.#atMost = this.#measure();
            }
            return inserted;
          });
    this.#tell();
    return sequence;
  }

  /**
   * Makes an event of a fact and appends it. It happened now, unless `at` says when.
   * @throws {Failure} as `append` does.
   */
  record(fact: Event["fact"], { reason, commandId = "", at }: Circumstances): number {
    const value = create(EventSchema, {
      at: at ?? timestampFromMs(this.#now()),
      // A hub would refuse a longer one, again and again.
      reason: beginning(reason, maxReasonBytes),
      commandId,
      fact,
    });
    return this.#sql.atomically(() => {
      this.#witness?.(value);
      return this.append({ case: "event", value });
    });
  }

  /** Entries after `after` that the hub does not have yet, in order: at most `max`, and about a megabyte, but one at least when there is one. */
  read(after: number, max: number): Kept[] {
    const from = Math.max(after, this.#acknowledged);
    const sizes = this.#sql.all(
      "SELECT length(entry) AS bytes FROM journal_entries WHERE sequence > ? ORDER BY sequence LIMIT ?",
      from,
      max,
    );
    let count = 0;
    for (let total = 0; count < sizes.length; count++) {
      total += Number(sizes[count]?.bytes);
      if (count > 0 && total > batchBytes) break;
    }
    if (count === 0) return [];
    const rows = this.#sql.all(
      "SELECT sequence, kind, entry FROM journal_entries WHERE sequence > ? ORDER BY sequence LIMIT ?",
      from,
      count,
    );
    return rows.map(({ sequence, kind, entry }) => {
      const bytes = entry as Uint8Array; // The column is BLOB NOT NULL in a STRICT table.
      return {
        sequence: Number(sequence),
        entry:
          kind === "result"
            ? { case: "result", value: fromBinary(ResultSchema, bytes) }
            : { case: "event", value: fromBinary(EventSchema, bytes) },
        sizeBytes: bytes.length,
      };
    });
  }

  /** Events for a reader at the node, whether or not the hub has them: see `readHistory`. */
  history(request: Parameters<typeof readHistory>[1]): JournalEvent[] {
    return readHistory(this.#sql, request);
  }

  /** Whether the entry of this sequence number is still to be read by the hub. */
  holds(sequence: number): boolean {
    if (sequence <= this.#acknowledged) return false;
    return this.#sql.get("SELECT 1 FROM journal_entries WHERE sequence = ?", sequence) !== undefined;
  }

  /**
   * Moves the hub's cursor forward, never back: what is up to here is on the hub's disk.
   * @throws {Failure} conflict: the number was never given to an entry of this journal. Nothing is changed.
   */
  acknowledge(through: number): void {
    if (through <= this.#acknowledged) return;
    const last = this.lastSequence;
    if (through > last) {
      throw failure(
        "conflict",
        `entry ${through} of the journal was acknowledged, and the last one written is ${last}`,
      );
    }
    this.#acknowledged = through;
    this.#tell();
  }

  /**
   * Gives the journal a new id and keeps its entries. For a state file that was put back from a copy: the hub has entries
   * under these numbers that this file does not know, and would take new ones for those.
   */
  renew(): void {
    const id = newId("journal");
    this.#sql.run("UPDATE journal SET id = ?", id);
    this.#id = id;
  }

  /** The last sequence number that was ever given, acknowledged or not; 0 before the first. */
  get lastSequence(): number {
    return Number(this.#sql.get("SELECT MAX(sequence) AS last FROM journal_entries")?.last ?? 0);
  }

  #insert(kind: Entry["case"], bytes: Uint8Array, subject: string): number {
    const { lastId } = this.#sql.run(
      `INSERT INTO journal_entries (sequence, kind, entry, runtime)
         VALUES ((SELECT COALESCE(MAX(sequence), 0) + 1 FROM journal_entries), ?, ?, ?)`,
      kind,
      bytes,
      subject,
    );
    this.#atMost = { entries: this.#atMost.entries + 1, bytes: this.#atMost.bytes + bytes.length };
    return lastId;
  }

  /**
   * Removes what was acknowledged, but for the events among the newest `history` entries, after a newer entry was written: with
   * nothing left, numbers would begin again. Should the surrounding transaction fail, the next acknowledgement catches up.
   */
  #forget(history: number): void {
    const acknowledged = this.#acknowledged;
    this.#sql.run("DELETE FROM journal_entries WHERE kind = 'result' AND sequence <= ?", acknowledged);
    const old = Math.min(acknowledged, this.lastSequence - history);
    this.#sql.run("DELETE FROM journal_entries WHERE sequence <= ?", old);
    this.#sql.run("UPDATE journal SET acknowledged = ?", acknowledged);
    this.#removed = acknowledged;
  }

  /** What it holds now, for figures: counted when asked. */
  get size(): JournalLimit {
    return this.#measure();
  }

  #measure(): JournalLimit {
    const row = this.#sql.get(
      "SELECT COUNT(*) AS entries, COALESCE(SUM(length(entry)), 0) AS bytes FROM journal_entries",
    );
    return { entries: Number(row?.entries), bytes: Number(row?.bytes) };
  }

  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.changes.notify();
    });
  }
}
