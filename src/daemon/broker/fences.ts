import type { Schema, Sql } from "../../base/sql.ts";

/** The room's table: one number. */
export const schema: Schema = {
  room: "broker",
  migrations: [
    "CREATE TABLE broker_fences (one INTEGER PRIMARY KEY CHECK (one = 1), reserved INTEGER NOT NULL) STRICT",
  ],
};

/** So many numbers are reserved with one write; a restart leaves out the rest of them. */
const block = 1_000;

/** Numbers that only grow, over all lives of the daemon. */
export class Fences {
  readonly #sql: Sql;
  #last: number;
  #reserved: number;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#reserved = Number(sql.get("SELECT reserved FROM broker_fences")?.reserved ?? 0);
    this.#last = this.#reserved;
  }

  next(): number {
    if (this.#last === this.#reserved) {
      const reserved = this.#reserved + block;
      this.#sql.run(
        "INSERT INTO broker_fences (one, reserved) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET reserved = excluded.reserved",
        reserved,
      );
      this.#reserved = reserved;
    }
    return ++this.#last;
  }
}
