import { failure } from "../base/failure.ts";
import { formatBytes } from "../base/quantity.ts";
import { textIn } from "./bytes.ts";
import type { Run } from "./run.ts";

/**
 * A text that a command carries: an argument, or what is piped in, without the end of its last line.
 * @throws {Failure} invalid: it is empty, or no text. exhausted: it is too long.
 */
export async function said(run: Run, text: string | undefined, maxBytes: number): Promise<string> {
  const given = text ?? textIn(await run.terminal.input(maxBytes, run.signal));
  if (given === undefined) throw failure("invalid", "what is piped in is no text in UTF-8");
  const whole = text === undefined ? given.replace(/\r?\n$/, "") : given;
  if (whole === "") throw failure("invalid", "there is no text: give it as an argument, or pipe it in");
  if (Buffer.byteLength(whole) <= maxBytes) return whole;
  throw failure(
    "exhausted",
    `the text is ${formatBytes(Buffer.byteLength(whole))} long, and may be ${formatBytes(maxBytes)}`,
  );
}
