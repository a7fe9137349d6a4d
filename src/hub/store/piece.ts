import type { Row } from "../../base/sql.ts";
import type { Tx, Value } from "./port.ts";

/** How an engine carries out the statements of a piece of work. */
export interface Statements {
  all(text: string, values: Value[]): Row[] | Promise<Row[]>;
  run(text: string, values: Value[]): number | Promise<number>;
}

/** Runs a piece with statements that are its own: one that it did not await must not end in another's. */
export async function runPiece<T>(work: (tx: Tx) => Promise<T>, statements: Statements): Promise<T> {
  let isOver = false;
  const mustBeOpen = () => {
    if (isOver)
      throw new Error("a statement came after the end of its piece of work, which did not await it");
  };
  const all: Tx["all"] = async (text, ...values) => {
    mustBeOpen();
    return await statements.all(text, values);
  };
  try {
    return await work({
      all,
      get: async (text, ...values) => (await all(text, ...values))[0],
      async run(text, ...values) {
        mustBeOpen();
        return await statements.run(text, values);
      },
    });
  } finally {
    isOver = true;
  }
}
