import type { Clock } from "../../base/clock.ts";
import type { Sql } from "../../base/sql.ts";

/**
 * A time that goes on over restarts and that nobody can set while the daemon runs: setting the node's clock closes no session.
 * Only what passed while the daemon was away is taken from the wall clock, and never less than nothing.
 */
export class KeptTime {
  readonly #sql: Sql;
  readonly #clock: Clock;
  /** What is added to the clock's elapsed time. */
  readonly #offsetMs: number;

  constructor(sql: Sql, clock: Clock) {
    this.#sql = sql;
    this.#clock = clock;
    const row = sql.get("SELECT at_ms, noted_at FROM sessions_time");
    const awayMs = row ? Math.max(0, clock.now() - Number(row.noted_at)) : 0;
    this.#offsetMs = Number(row?.at_ms ?? 0) + awayMs - clock.elapsed();
    this.note();
  }

  /** In whole milliseconds, from some moment on. */
  now(): number {
    return Math.floor(this.#clock.elapsed() + this.#offsetMs);
  }

  /** Keeps it. What passes between the last note and a crash is taken from the wall clock, as what passes after it. */
  note(): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO sessions_time (one, at_ms, noted_at) VALUES (1, ?, ?)",
      this.now(),
      this.#clock.now(),
    );
  }
}
