import type { Progress } from "../../gen/edge/v1/command_pb.ts";
import { formatBytes } from "../base/quantity.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import type { Terminal } from "./terminal.ts";

const barCells = 24;

/**
 * What is going on, beside the result: on a terminal a line that draws over itself, in a log one plain line for each phase,
 * and nothing at all for a program that reads `--json`.
 */
export class ProgressLine implements Disposable {
  readonly #terminal: Terminal;
  readonly #plain: boolean;
  #shown = "";

  constructor({ terminal, flags }: Pick<Run, "terminal" | "flags">) {
    this.#terminal = terminal;
    this.#plain = !terminal.animated && flags.json !== true;
  }

  /** Shows a text; a log gets `plain` instead, when that is another than before. */
  show(text: string, plain?: string): void {
    if (this.#plain && plain !== undefined && plain !== this.#shown) {
      this.#shown = plain;
      this.#terminal.err(`${plain}\n`);
    }
    if (!this.#terminal.animated || text === this.#shown) return;
    this.#shown = text;
    this.#terminal.err(`\r\x1b[2K${text}`);
  }

  /** Clears the line, so that what comes next begins on a clean one. */
  [Symbol.dispose](): void {
    if (this.#terminal.animated && this.#shown !== "") this.#terminal.err("\r\x1b[2K");
    this.#shown = "";
  }
}

/** Progress in words: a bar when the whole is known, a count when only the part is. */
export function describeProgress({
  phase,
  doneBytes,
  totalBytes,
  detail,
}: Pick<Progress, "phase" | "doneBytes" | "totalBytes" | "detail">) {
  const what = printable(phase);
  const rest = detail === "" ? "" : `  ${printable(detail)}`;
  if (totalBytes === 0n)
    return doneBytes === 0n ? `${what} ...${rest}` : `${what}  ${formatBytes(doneBytes)}${rest}`;
  const share = Math.min(1, Number(doneBytes) / Number(totalBytes));
  const filled = Math.round(share * barCells);
  const bar = "#".repeat(filled) + "-".repeat(barCells - filled);
  return `${what}  [${bar}] ${Math.floor(share * 100)}%  ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}${rest}`;
}
