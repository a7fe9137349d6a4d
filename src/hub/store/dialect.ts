import { types } from "pg";
import type { Row } from "../../base/sql.ts";

/**
 * A room's statement as PostgreSQL takes it. Rooms write what both engines take; what differs is only how a column of bytes is
 * called, what SQLite calls a whole number (there it has 64 bits, here it would have 32), and a word of SQLite that makes it
 * as strict about types as PostgreSQL is anyway.
 */
export function toPostgres(text: string): string {
  return text
    .replace(/\bBLOB\b/g, "BYTEA")
    .replace(/\bINTEGER\b/g, "BIGINT")
    .replace(/\)\s*STRICT\b/g, ")");
}

const { BOOL, INT8, NUMERIC }: Readonly<Record<string, number>> = types.builtins;

/** Values of rows as SQLite gives them: whole numbers as numbers, and truth as 1 or 0. */
export const rowTypes = {
  getTypeParser(type: number): (text: string) => Row[string] {
    if (type === BOOL) return (text) => (text === "t" ? 1 : 0);
    if (type === INT8 || type === NUMERIC) return Number;
    return types.getTypeParser(type, "text") as (text: string) => Row[string]; // Texts, bytes, and smaller numbers.
  },
};
