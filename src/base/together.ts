import type { Sql } from "./sql.ts";

interface Piece {
  /** Does the work, and keeps what came of it. */
  run(): void;
  undo(): void;
  /** Tells whoever asked, after the commit. */
  tell(): void;
  reject(thrown: unknown): void;
}

const waiting = new WeakMap<Sql, Piece[]>();

/**
 * Does `work` in one commit with all that is asked for in the same turn of the event loop: they wait for the disk once. Each is done
 * whole or not at all, whatever becomes of the others; they are done in order, and nothing else happens in between. Resolves when it
 * is on disk.
 * @param undo takes back what `work` changed in memory, when the disk did not take it. Called in the opposite order.
 */
export function together<T>(sql: Sql, work: () => T, undo: () => void = () => {}): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let tell = () => {};
  const run = () => {
    const outcome = work();
    tell = () => resolve(outcome);
  };
  const piece = { run, undo, reject, tell: () => tell() };
  const pieces = waiting.get(sql);
  if (pieces) pieces.push(piece);
  else {
    waiting.set(sql, [piece]);
    setImmediate(() => commit(sql));
  }
  return promise;
}

function commit(sql: Sql): void {
  const pieces = waiting.get(sql) ?? [];
  waiting.delete(sql);
  const done: Piece[] = [];
  try {
    sql.transaction(() => {
      for (const piece of pieces) if (attempt(sql, piece)) done.push(piece);
    });
  } catch (thrown) {
    for (const piece of done.toReversed()) piece.undo();
    for (const piece of pieces) piece.reject(thrown); // Those that failed by themselves were told so.
    return;
  }
  for (const piece of done) piece.tell();
}

/** @returns whether it is part of the commit. @throws {Failure} the disk takes nothing of any. */
function attempt(sql: Sql, piece: Piece): boolean {
  sql.run("SAVEPOINT piece");
  try {
    piece.run();
    sql.run("RELEASE piece");
    return true;
  } catch (thrown) {
    piece.undo();
    if (!sql.inTransaction) throw thrown; // A full disk can end the whole of it.
    sql.run("ROLLBACK TO piece");
    sql.run("RELEASE piece");
    piece.reject(thrown);
    return false;
  }
}
