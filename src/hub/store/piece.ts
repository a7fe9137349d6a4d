import type { Row } from "../../base/sql.ts";
import type { Tx, Value } from "./port.ts";

/** How an engine carries out the statements of a piece of work. */
export interface Statements {
  all(text: string, values: Value[]): Row[] | Promise<Row[]>;
  run(text: string, values: Value[]): number | Promise<number>;
}

/**
 * Runs a piece with statements that are its own: one that it did not await must not end in another's. One that fails is the
 * end of the piece, also when its work goes on as if nothing were: not every engine keeps what came before it.
 */
export async function runPiece<T>(work: (tx: Tx) => Promise<T>, statements: Statements): Promise<T> {
  let isOver = false;
  let failed: { thrown: unknown } | undefined;
  const within = async <R>(statement: () => R | Promise<R>): Promise<R> => {
    if (isOver)
      throw new Error("a statement came after the end of its piece of work, which did not await it");
    try {
      return await statement();
    } catch (thrown) {
      failed ??= { thrown };
      throw thrown;
    }
  };
  const all: Tx["all"] = (text, ...values) => within(() => statements.all(text, values));
  try {
    const outcome = await work({
      all,
      get: async (text, ...values) => (await all(text, ...values))[0],
      run: (text, ...values) => within(() => statements.run(text, values)),
    });
    if (failed) throw failed.thrown;
    return outcome;
  } finally {
    isOver = true;
  }
}
