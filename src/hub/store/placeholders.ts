/** A statement as the embedded engine takes it: `?` in order, and which value stands at each. */
export interface Statement {
  text: string;
  /** Zero-based index into the caller's values, for each `?`. */
  order: readonly number[];
}

/**
 * Turns `$1` placeholders, which PostgreSQL wants, into the positions that node:sqlite binds. A placeholder may be used
 * several times. Text literals must not contain `$` and a digit; ours contain no values at all.
 */
export function positional(text: string): Statement {
  const order: number[] = [];
  const translated = text.replace(/\$(\d+)/g, (_all, number: string) => {
    order.push(Number(number) - 1);
    return "?";
  });
  return { text: translated, order };
}

/** The values of a statement, in the order of its `?`. Throws for one that is missing, which is a defect. */
export function ordered<T>({ text, order }: Statement, values: readonly (T | undefined)[]): T[] {
  return order.map((index) => {
    const value = values[index];
    if (value === undefined) throw new Error(`no value for $${index + 1} in: ${text}`);
    return value;
  });
}
