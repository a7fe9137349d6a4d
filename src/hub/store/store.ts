import { asFailure, Failure, failure } from "../../base/failure.ts";
import { type Row, type Schema, Sql } from "../../base/sql.ts";
import { positional, type Statement } from "./placeholders.ts";

/** What can be bound to a placeholder. */
export type Value = null | number | bigint | string | Uint8Array;

/** The statements of one piece of work. All of them are kept, or none. */
export interface Tx {
  /** All rows. */
  all(text: string, ...values: Value[]): Row[];
  /** The first row, if there is one. */
  get(text: string, ...values: Value[]): Row | undefined;
  /** Runs a statement and says how many rows it changed. */
  run(text: string, ...values: Value[]): number;
}

interface Piece {
  work: (tx: Tx) => unknown;
  resolve: (value: never) => void;
  reject: (thrown: unknown) => void;
  outcome: { value: unknown } | { thrown: unknown } | undefined;
}

/** Pieces of work in one commit: enough to share a disk's sync, few enough that nobody else waits long. */
const piecesPerCommit = 500;

/** Pieces that may wait. With an engine in this process they wait for one turn; a store that cannot keep up refuses. */
const waitingLimit = 20_000;

/**
 * The store on the embedded engine. Writes that are asked for in the same turn of the event loop share one commit, and each
 * caller hears of its own only after that commit is on disk.
 */
export class Store implements AsyncDisposable {
  readonly #sql: Sql;
  readonly #statements = new Map<string, Statement>();
  #waiting: Piece[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #broken: Failure | undefined;
  #problem: Failure | undefined;
  #commits = 0;
  #closed = false;

  private constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Opens the file with the tables of the rooms. Fails as `Sql.open` does; a file that cannot be read is refused, because
   * a hub that began anew would turn its whole fleet away.
   */
  static open(path: string, schemas: readonly Schema[], now: () => number): Store {
    return new Store(Sql.open(path, schemas, now, { unreadable: "refuse" }));
  }

  /** Why the last commit failed; undefined while writing works. */
  get problem(): Failure | undefined {
    return this.#problem;
  }

  /** Commits since the opening. */
  get commits(): number {
    return this.#commits;
  }

  /** Rows of committed work. Works on a full or read-only disk. */
  async read(text: string, ...values: Value[]): Promise<Row[]> {
    return this.#all(text, values);
  }

  /**
   * Runs `work` in a transaction and resolves with what it returned, once that is on disk. `work` is synchronous and may run
   * in the same commit as others': if it throws, only its own statements are undone and only its caller is told. It changes
   * nothing in memory, because the commit may still fail.
   * @throws {Failure} exhausted: the disk is full, or too many writes wait. unavailable: the disk cannot be written.
   */
  write<T>(work: (tx: Tx) => T): Promise<T> {
    if (this.#closed) return Promise.reject(failure("unavailable", "the hub is stopping"));
    if (this.#waiting.length >= waitingLimit) {
      return Promise.reject(failure("exhausted", "the hub's disk cannot keep up: try again in a moment"));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject, outcome: undefined });
      this.#flushing ??= setImmediate(() => this.#flush());
    });
  }

  /** Commits what waits, then closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    while (this.#waiting.length > 0) this.#flush();
    if (this.#flushing) clearImmediate(this.#flushing);
    this.#sql[Symbol.dispose]();
  }

  #flush(): void {
    const batch = this.#waiting.splice(0, piecesPerCommit);
    this.#flushing = this.#waiting.length > 0 ? setImmediate(() => this.#flush()) : undefined;
    this.#broken = undefined;
    try {
      this.#sql.transaction(() => {
        for (const piece of batch) this.#attempt(piece, batch.length > 1);
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

  #attempt(piece: Piece, shared: boolean): void {
    if (shared) this.#sql.run("SAVEPOINT piece");
    try {
      piece.outcome = { value: piece.work(this.#tx) };
    } catch (thrown) {
      piece.outcome = { thrown };
      if (this.#broken !== undefined || !shared) throw thrown;
      this.#sql.run("ROLLBACK TO piece");
    }
    if (shared) this.#sql.run("RELEASE piece");
  }

  readonly #tx: Tx = {
    all: (text, ...values) => this.#noting(() => this.#all(text, values)),
    get: (text, ...values) => this.#noting(() => this.#all(text, values)[0]),
    run: (text, ...values) =>
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

function ordered({ text, order }: Statement, values: Value[]): Value[] {
  return order.map((index) => {
    const value = values[index];
    if (value === undefined) throw new Error(`no value for $${index + 1} in: ${text}`);
    return value;
  });
}
