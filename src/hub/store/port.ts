import type { Failure } from "../../base/failure.ts";
import type { Row } from "../../base/sql.ts";

/** What can be bound to a placeholder. */
export type Value = null | number | bigint | string | Uint8Array;

/** The statements of one piece of work. All of them are kept, or none: one that fails ends the piece. */
export interface Tx {
  /** All rows. */
  all(text: string, ...values: Value[]): Promise<Row[]>;
  /** The first row, if there is one. */
  get(text: string, ...values: Value[]): Promise<Row | undefined>;
  /** Runs a statement and says how many rows it changed. */
  run(text: string, ...values: Value[]): Promise<number>;
}

/** The hub's truth, on whatever engine. */
export interface Store extends AsyncDisposable {
  /** Why the last commit failed; undefined while writing works. */
  readonly problem: Failure | undefined;
  /** Commits since the opening. */
  readonly commits: number;

  /**
   * Rows of committed work. Not to be called from within a piece of work, which would wait for itself: that has its `tx`.
   * @throws {Failure} unavailable: the engine is away.
   */
  read(text: string, ...values: Value[]): Promise<Row[]>;

  /**
   * Runs `work` in a transaction and resolves with what it returned, once that is on disk. If it throws, its statements are
   * undone and its caller is told what it threw.
   *
   * - `about` names what the work decides upon, as `node n-1`. Pieces with a name in common run one after another, in the order
   *   of the calls, and also where several hubs share the store; each sees what the ones before have kept. Others run side by
   *   side. A piece that says nothing about it runs alone; `[]` says that its statements need no protection from others.
   * - `work` awaits its `tx` and nothing else. It changes nothing in memory, because the commit may still fail, and it may be
   *   run again, because engines call off one of two that stand in each other's way.
   * - A failed commit may have been kept: asking for the same work again must be harmless.
   * @throws {Failure} exhausted: the disk is full, or too many writes wait. unavailable: the engine is away, or its disk
   * cannot be written.
   */
  write<T>(work: (tx: Tx) => Promise<T>, about?: readonly string[]): Promise<T>;
}
