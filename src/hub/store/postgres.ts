import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { Failure, failure } from "../../base/failure.ts";
import type { Row, Schema } from "../../base/sql.ts";
import { type Answer, type Connection, Connections } from "./connections.ts";
import { toPostgres } from "./dialect.ts";
import { beginning } from "./locks.ts";
import { migrate } from "./migrate.ts";
import { runPiece } from "./piece.ts";
import { ordered, positional, type Statement } from "./placeholders.ts";
import type { Store, Tx, Value } from "./port.ts";
import { isCollision, isTornOff } from "./trouble.ts";
import { Turns } from "./turns.ts";

export interface PostgresOptions {
  /** As `postgres://user:password@host/database`. */
  url: string;
  schemas: readonly Schema[];
  clock: Clock;
  /** Connections that this hub has at most. */
  connections: number;
  /** See `ConnectionsOptions`. */
  statementMs?: number;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** Pieces of work that may wait; one more is refused. */
const waitingLimit = 20_000;

/** How often a piece is begun when PostgreSQL calls it off because of another, or because it stood still. */
const attempts = 10;

/**
 * The store on PostgreSQL, which many hubs may share. Each piece of work is a transaction of its own, and locks the names of what
 * it is about first: see docs/decisions/0037-a-piece-of-work-says-what-it-is-about.md.
 */
export class PostgresStore implements Store {
  readonly #connections: Connections;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** Those of this hub that wait for one another do so here, where they take no connection from others. */
  readonly #turns = new Turns();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #statements = new Map<string, { inOrder: Statement; text: string }>();
  #commits = 0;
  #refused: Failure | undefined;
  #closed = false;

  private constructor(connections: Connections, { clock, random }: PostgresOptions) {
    this.#connections = connections;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Opens the store and brings its tables up to date.
   * @throws {Failure} unavailable: it cannot be reached or used. unsupported: a newer hub changed it so that this one cannot
   * work with it.
   */
  static async open(options: PostgresOptions): Promise<PostgresStore> {
    await migrate(options.url, options.schemas);
    return new PostgresStore(new Connections({ ...options, max: options.connections }), options);
  }

  get problem(): Failure | undefined {
    return this.#connections.problem ?? this.#refused;
  }

  get commits(): number {
    return this.#commits;
  }

  async read(text: string, ...values: Value[]): Promise<Row[]> {
    const { rows } = await this.#counted(() => this.#connections.use((one) => this.#ask(one, text, values)));
    return rows;
  }

  async write<T>(work: (tx: Tx) => Promise<T>, about?: readonly string[]): Promise<T> {
    const begin = beginning(about);
    return await this.#counted(() => this.#turns.run(about ?? ["alone"], () => this.#kept(begin, work)));
  }

  /** Ends when all that was asked for is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.#connections[Symbol.asyncDispose]();
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw failure("unavailable", "the hub is stopping");
    if (this.#underWay.size >= waitingLimit) {
      throw failure("exhausted", "the hub's database cannot keep up: try again in a moment");
    }
    const doing = work();
    this.#underWay.add(doing);
    try {
      return await doing;
    } finally {
      this.#underWay.delete(doing);
    }
  }

  async #kept<T>(begin: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await this.#connections.use((one) => this.#transaction(one, begin, work));
        this.#commits++;
        this.#refused = undefined;
        return outcome;
      } catch (thrown) {
        if (!isCollision(thrown) && !isTornOff(thrown)) throw thrown;
        if (attempt === attempts) {
          throw failure("unavailable", "too many writes of the same at once: try again in a moment", {
            cause: thrown,
          });
        }
        await this.#clock.sleep(backoffMs(attempt, { firstMs: 5, lastMs: 200, random: this.#random }));
      }
    }
  }

  async #transaction<T>(one: Connection, begin: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    const noting = async <R>(statement: Promise<R>): Promise<R> => {
      try {
        return await statement;
      } catch (thrown) {
        if (thrown instanceof Failure && !one.isLost) this.#refused = thrown;
        throw thrown;
      }
    };
    try {
      await noting(one.query(begin));
      const outcome = await runPiece(work, {
        all: async (text, values) => (await noting(this.#ask(one, text, values))).rows,
        run: async (text, values) => (await noting(this.#ask(one, text, values))).changes,
      });
      await noting(one.query("COMMIT"));
      return outcome;
    } catch (thrown) {
      if (!one.isLost) await one.query("ROLLBACK").catch(() => {}); // If it is lost, so is what it did.
      throw thrown;
    }
  }

  #ask(one: Connection, text: string, values: Value[]): Promise<Answer> {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = { inOrder: positional(text), text: toPostgres(text) };
      this.#statements.set(text, statement);
    }
    ordered(statement.inOrder, values); // Refuses a missing value with the same words as the other engine.
    return one.query(statement.text, values);
  }
}
