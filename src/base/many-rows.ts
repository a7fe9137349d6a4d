/** The type of a column, as both engines of the hub call it. */
type ColumnType = "TEXT" | "BIGINT" | "BLOB";

/**
 * What comes after VALUES for `count` rows, whose values follow one another as `$1`, `$2`, ...; the first row says the types, which
 * PostgreSQL does not guess everywhere.
 */
export function valuesOf(types: readonly ColumnType[], count: number): string {
  return Array.from({ length: count }, (_, row) => {
    const placeholders = types.map((type, column) => {
      const placeholder = `$${row * types.length + column + 1}`;
      return row === 0 ? `CAST(${placeholder} AS ${type})` : placeholder;
    });
    return `(${placeholders.join(", ")})`;
  }).join(", ");
}

/** Cuts many into pieces of a few sizes, so that an engine sees few different statements, and none with too many values. */
export function inPieces<T>(all: readonly T[]): T[][] {
  const pieces: T[][] = [];
  let at = 0;
  for (const size of [100, 10, 1]) {
    for (; all.length - at >= size; at += size) pieces.push(all.slice(at, at + size));
  }
  return pieces;
}
