import { setImmediate as nextTurn } from "node:timers/promises";
import { asFailure, Failure, failure } from "../../base/failure.ts";
import { type Row, type Schema, Sql } from "../../base/sql.ts";
import { runPiece, type Statements } from "./piece.ts";
import { ordered, positional, type Statement } from "./placeholders.ts";
import type { Store, Tx, Value } from "./port.ts";

interface Piece {
  work: (tx: Tx) => Promise<unknown>;
  resolve: (value: never) => void;
  reject: (thrown: unknown) => void;
  outcome: { value: unknown } | { thrown: unknown } | undefined;
}

/** Pieces of work in one commit: enough to share a disk's sync, few enough that nobody else waits long. */
const piecesPerCommit = 500;

/** What a hub's file may keep of itself in memory, in KiB: the rows of many nodes. */
const cacheKib = 2_000;

/** Pieces that may wait. With an engine in this process they wait for one turn; a store that cannot keep up refuses. */
const waitingLimit = 20_000;

/**
 * The store on the embedded engine. Writes that are asked for in the same turn of the event loop share one commit, in which
 * they run one after another, whatever they are about. Each caller hears of its own only after that commit is on disk.
 */
export class SqliteStore implements Store {
  readonly #sql: Sql;
  readonly #statements = new Map<string, Statement>();
  #waiting: Piece[] = [];
  /** Under way while anything waits; never fails. */
  #flushing: Promise<void> | undefined;
  /** A commit in the making: until its end, what it wrote is nobody's to see. */
  #commit: Promise<void> | undefined;
  #broken: Failure | undefined;
  #problem: Failure | undefined;
  #commits = 0;
  #closed = false;

  /** The store in an open file, or in memory, which is closed with it. */
  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Opens the file with the tables of the rooms. Fails as `Sql.open` does; a file that cannot be read is refused, because
   * a hub that began anew would turn its whole fleet away.
   */
  static open(path: string, schemas: readonly Schema[], now: () => number): SqliteStore {
    return new SqliteStore(Sql.open(path, schemas, now, { unreadable: "refuse", cacheKib }));
  }

  get problem(): Failure | undefined {
    return this.#problem;
  }

  get commits(): number {
    return this.#commits;
  }

  /** Works on a full or read-only disk, too. */
  async read(text: string, ...values: Value[]): Promise<Row[]> {
    while (this.#commit) await this.#commit;
    return this.#all(text, values);
  }

  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(failure("unavailable", "the hub is stopping"));
    if (this.#waiting.length >= waitingLimit) {
      return Promise.reject(failure("exhausted", "the hub's disk cannot keep up: try again in a moment"));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject, outcome: undefined });
      this.#flushing ??= this.#flush();
    });
  }

  /** Commits what waits, then closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#flushing;
    this.#sql[Symbol.dispose]();
  }

  async #flush(): Promise<void> {
    do {
      await nextTurn();
      this.#commit = this.#keep(this.#waiting.splice(0, piecesPerCommit));
      await this.#commit;
      this.#commit = undefined;
    } while (this.#waiting.length > 0);
    this.#flushing = undefined;
  }

  /** Commits a batch and tells each caller. Never fails. */
  async #keep(batch: Piece[]): Promise<void> {
    this.#broken = undefined;
    try {
      await this.#transaction(async () => {
        for (const piece of batch) await this.#attempt(piece, batch.length > 1);
      });
    } catch (thrown) {
      // With one piece there was no savepoint: what it threw is its own, and the disk is well.
      const lone = batch.length === 1 && this.#broken === undefined ? batch[0]?.outcome : undefined;
      if (lone && "thrown" in lone) {
        batch[0]?.reject(lone.thrown);
        return;
      }
      this.#problem = asFailure(thrown);
      for (const piece of batch) piece.reject(thrown);
      return;
    }
    this.#commits++;
    this.#problem = undefined;
    for (const { outcome, resolve, reject } of batch) {
      if (outcome && "thrown" in outcome) reject(outcome.thrown);
      else resolve(outcome?.value as never); // It is what this caller's own work returned.
    }
  }

  async #transaction(work: () => Promise<void>): Promise<void> {
    this.#sql.run("BEGIN IMMEDIATE");
    try {
      await work();
      this.#sql.run("COMMIT");
    } catch (thrown) {
      if (this.#sql.inTransaction) this.#sql.run("ROLLBACK");
      throw thrown;
    }
  }

  async #attempt(piece: Piece, shared: boolean): Promise<void> {
    if (shared) this.#sql.run("SAVEPOINT piece");
    try {
      piece.outcome = { value: await runPiece(piece.work, this.#piece) };
    } catch (thrown) {
      piece.outcome = { thrown };
      if (this.#broken !== undefined || !shared) throw thrown;
      this.#sql.run("ROLLBACK TO piece");
    }
    if (shared) this.#sql.run("RELEASE piece");
  }

  readonly #piece: Statements = {
    all: (text, values) => this.#noting(() => this.#all(text, values)),
    run: (text, values) =>
      this.#noting(() => {
        const statement = this.#statement(text);
        return this.#sql.run(statement.text, ...ordered(statement, values)).changes;
      }),
  };

  /** A failure that comes from the engine is about the disk, and with it about every piece of this commit. */
  #noting<T>(statement: () => T): T {
    try {
      return statement();
    } catch (thrown) {
      if (thrown instanceof Failure) this.#broken = thrown;
      throw thrown;
    }
  }

  #all(text: string, values: Value[]): Row[] {
    const statement = this.#statement(text);
    return this.#sql.all(statement.text, ...ordered(statement, values));
  }

  #statement(text: string): Statement {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = positional(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}
