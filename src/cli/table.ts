import { stripVTControlCharacters } from "node:util";
import type { Terminal } from "./terminal.ts";

/** A column: its title, and whether its cells are numbers, which stand right. */
export interface Column {
  title: string;
  right?: boolean;
  /** Colours a cell, its padding included. */
  paint?: (cell: string) => string;
}

export interface TableOptions {
  /** Width of the terminal; the last column is cut to it. Absent in a pipe, where nothing is ever cut. */
  columns?: number | undefined;
  bold?: (text: string) => string;
}

/**
 * Rows in aligned columns, two spaces between them; a line for the titles first. Text from elsewhere
 * cannot steer the terminal: control characters are shown as `?`.
 */
export function table(
  columns: readonly Column[],
  rows: readonly string[][],
  options: TableOptions = {},
): string {
  const cells = rows.map((row) => columns.map((_, index) => printable(row[index] ?? "") || "-"));
  const titles = columns.map(({ title }) => title);
  const widths = columns.map((_, index) =>
    Math.max(...[titles, ...cells].map((row) => textWidth(row[index] ?? ""))),
  );
  const padded = (row: string[]) =>
    row.map((cell, index) => {
      const pad = " ".repeat((widths[index] ?? 0) - textWidth(cell));
      if (columns[index]?.right) return pad + cell;
      return index === row.length - 1 ? cell : cell + pad;
    });
  const line = (row: string[], paint: (cell: string, index: number) => string) => {
    const plain = padded(row);
    const short = cut(plain.join("  "), options.columns);
    return short === plain.join("  ") ? plain.map(paint).join("  ") : short;
  };
  const bold = options.bold ?? ((text: string) => text);
  const painted = (cell: string, index: number) => columns[index]?.paint?.(cell) ?? cell;
  return [bold(line(titles, (title) => title)), ...cells.map((row) => line(row, painted)), ""].join("\n");
}

/** A table of text, or the sentence that says that there is nothing to show. Numbers stand right, but for the first column. */
export function rows(
  { columns, style }: Pick<Terminal, "columns" | "style">,
  titles: readonly string[],
  lines: readonly string[][],
  none: string,
  { numbers = false } = {},
): string {
  if (lines.length === 0) return `${none}\n`;
  const titled = titles.map((title, index) => ({ title, right: numbers && index > 0 }));
  return table(titled, lines, { columns, bold: style.bold });
}

/** Names and values of one thing, one pair a line. */
export function sheet(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${printable(value) || "-"}\n`).join("");
}

/** Text that cannot steer a terminal: escape sequences go, other control characters become `?`. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, "?");
}

/** Cells of a terminal that a text takes: a wide character takes two, a combining one none. */
export function textWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) width += isWide(segment) ? 2 : 1;
  return width;
}

function isWide(grapheme: string): boolean {
  return /\p{Emoji_Presentation}|\p{sc=Han}|\p{sc=Hangul}|\p{sc=Hiragana}|\p{sc=Katakana}|[\uff01-\uff60]/u.test(
    grapheme,
  );
}

function cut(line: string, columns: number | undefined): string {
  if (columns === undefined || textWidth(line) <= columns) return line;
  let kept = "";
  let width = 1;
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    width += isWide(segment) ? 2 : 1;
    if (width > columns) break;
    kept += segment;
  }
  return `${kept}…`;
}
