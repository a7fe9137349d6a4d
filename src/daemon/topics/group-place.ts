import type { Sql } from "../../base/sql.ts";

/** What is to be written of a group's place. Call what `write` returns when it is on disk. */
export interface PlaceChanges {
  write(sql: Sql, now: number): () => void;
}

/** Places that nothing wanted was at are written now and then: reading over them again costs little. */
const unwantedPlaces = 1_000;

/**
 * How far a group is: up to where it has read, and what of that is given and not settled. In memory it is always ahead of the
 * disk by what was given, never by what was settled: a crash makes a message come again, and loses none.
 */
export class GroupPlace {
  readonly #name: string;
  readonly #onDisk: Set<number>;
  readonly #found: { sequence: number; attempts: number }[];
  readonly #unsaved = new Map<number, number | "settled">();
  #read: number;
  #saved: number;

  private constructor(
    name: string,
    read: number,
    saved: number,
    found: { sequence: number; attempts: number }[],
  ) {
    this.#name = name;
    this.#read = read;
    this.#saved = saved;
    this.#found = found;
    this.#onDisk = new Set(found.map(({ sequence }) => sequence));
  }

  /** The place of a group that is new. */
  static begin(name: string, at: number): GroupPlace {
    return new GroupPlace(name, at, -unwantedPlaces, []);
  }

  /** The place of a group that was there before, if it was. */
  static find(sql: Sql, name: string): GroupPlace | undefined {
    const row = sql.get("SELECT place FROM topics_groups WHERE name = ?", name);
    if (!row) return undefined;
    const given = sql.all(
      "SELECT sequence, attempts FROM topics_given WHERE group_name = ? ORDER BY sequence",
      name,
    );
    const found = given.map((one) => ({ sequence: Number(one.sequence), attempts: Number(one.attempts) }));
    return new GroupPlace(name, Number(row.place), Number(row.place), found);
  }

  /** Up to where it has read. */
  get read(): number {
    return this.#read;
  }

  /** What was given and not settled in the daemon's earlier life, oldest first. */
  unsettled(): readonly { sequence: number; attempts: number }[] {
    return this.#found;
  }

  readTo(sequence: number): void {
    this.#read = Math.max(this.#read, sequence);
  }

  given(sequence: number, attempts: number): void {
    this.#unsaved.set(sequence, attempts);
  }

  settled(sequence: number): void {
    this.#unsaved.set(sequence, "settled");
  }

  changes(): PlaceChanges | undefined {
    const read = this.#read;
    if (this.#unsaved.size === 0 && read - this.#saved < unwantedPlaces) return undefined;
    const unsaved = [...this.#unsaved];
    return {
      write: (sql, now) => {
        sql.run(
          `INSERT INTO topics_groups (name, place, used_at) VALUES (?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET place = excluded.place, used_at = excluded.used_at`,
          ...[this.#name, read, now],
        );
        for (const [sequence, what] of unsaved) this.#writeOne(sql, sequence, what);
        return () => this.#isSaved(read, unsaved);
      },
    };
  }

  #writeOne(sql: Sql, sequence: number, what: number | "settled"): void {
    if (what !== "settled") {
      sql.run(
        "INSERT OR REPLACE INTO topics_given (group_name, sequence, attempts) VALUES (?, ?, ?)",
        ...[this.#name, sequence, what],
      );
    } else if (this.#onDisk.has(sequence)) {
      sql.run("DELETE FROM topics_given WHERE group_name = ? AND sequence = ?", this.#name, sequence);
    }
  }

  #isSaved(read: number, unsaved: readonly (readonly [number, number | "settled"])[]): void {
    this.#saved = read;
    for (const [sequence, what] of unsaved) {
      if (what === "settled") this.#onDisk.delete(sequence);
      else this.#onDisk.add(sequence);
    }
    this.#unsaved.clear(); // Writing is synchronous: nothing was noted in between.
  }
}
