import pg from "pg";
import type { Clock } from "../../base/clock.ts";
import type { Failure } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import type { Row } from "../../base/sql.ts";
import { rowTypes } from "./dialect.ts";
import { nameOf } from "./name.ts";
import type { Value } from "./port.ts";
import { isCollision, isTornOff, troubleOf } from "./trouble.ts";

export interface ConnectionsOptions {
  /** As `postgres://user:password@host/database`. */
  url: string;
  /** The most that are open at once; who wants one more waits. */
  max: number;
  /** How long a statement may take, in milliseconds: PostgreSQL then calls it off, and soon it is no longer waited for. */
  statementMs?: number;
  clock: Clock;
}

const defaultStatementMs = 10_000;
/** How much longer PostgreSQL's own word on a statement that took too long is waited for. */
const lastWordMs = 2_000;
const connectMs = 5_000;
/** A hub that stops in the middle of a transaction must not keep what it locked from the others. */
const idleInTransactionMs = 5_000;
/** After this, what was found to be away is tried again; until then everybody is told at once. */
const awayMs = 500;

const never = new AbortController().signal;

export interface Answer {
  rows: Row[];
  /** Rows that the statement changed. */
  changes: number;
}

/** One connection, while it is somebody's. */
export interface Connection {
  /** @throws {Failure} what `troubleOf` says. Else the error of the statement, or of a collision. */
  query(text: string, values?: readonly Value[]): Promise<Answer>;
  /** Nothing can be asked on it any more. */
  readonly isLost: boolean;
}

/** The connections to one PostgreSQL: few, kept, and made anew when it was away. */
export class Connections implements AsyncDisposable {
  readonly #pool: pg.Pool;
  readonly #gate: Gate;
  readonly #clock: Clock;
  readonly #where: string;
  /** Why connections have ended that somebody has: more than that they have is not said of a query on them. */
  readonly #ends = new WeakMap<pg.ClientBase, Error>();
  #away: { failure: Failure; until: number } | undefined;

  constructor({ url, max, statementMs = defaultStatementMs, clock }: ConnectionsOptions) {
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: "orchestrator-hub",
      ...{ max, types: rowTypes, keepAlive: true, connectionTimeoutMillis: connectMs },
      ...{ statement_timeout: statementMs, query_timeout: statementMs + lastWordMs },
      idle_in_transaction_session_timeout: idleInTransactionMs,
    });
    // One that is lost while nobody uses it, or between two queries of somebody: the next one says so.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => {
      client.on("error", (error) => {
        if (!this.#ends.has(client)) this.#ends.set(client, error);
      });
    });
    this.#gate = new Gate(max);
    this.#clock = clock;
    this.#where = nameOf(url);
  }

  /** Why nothing can be asked; undefined while it can. */
  get problem(): Failure | undefined {
    return this.#away?.failure;
  }

  /** Runs `work` with a connection. @throws {Failure} unavailable: there is none to be had. */
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#gate.run(never, async () => {
      if (this.#away && this.#clock.elapsed() < this.#away.until) throw this.#away.failure;
      const client = await this.#connect();
      const connection = {
        isLost: false,
        query: async (text: string, values: readonly Value[] = []) => {
          try {
            // Never a prepared statement with a name: its plan would break when another hub adds a column.
            const { rows, rowCount } = await client.query<Row>(text, [...values]);
            this.#away = undefined;
            return { rows, changes: rowCount ?? 0 };
          } catch (caught) {
            const thrown = this.#ends.get(client) ?? caught;
            const trouble = isCollision(thrown) ? undefined : troubleOf(thrown, this.#where);
            if (trouble?.isAway || isTornOff(thrown)) connection.isLost = true;
            throw this.#noted(thrown);
          }
        },
      };
      try {
        return await work(connection);
      } finally {
        client.release(connection.isLost);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (thrown) {
      throw this.#noted(thrown);
    }
  }

  /** What is thrown for an error of PostgreSQL. */
  #noted(thrown: unknown): unknown {
    const trouble = isCollision(thrown) ? undefined : troubleOf(thrown, this.#where);
    if (trouble?.isAway) {
      this.#away = { failure: trouble.failure, until: this.#clock.elapsed() + awayMs };
    }
    return trouble?.failure ?? thrown;
  }
}
