import { failure } from "../base/failure.ts";
import { printable } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Prints bytes that somebody else's program made: into a pipe as they are, on a terminal as text that cannot steer it.
 * @throws {Failure} invalid: they are no text, and here is a person; `instead` says what to do.
 */
export function printBytes(terminal: Terminal, bytes: Uint8Array, instead: string): void {
  if (bytes.length === 0) return;
  if (terminal.columns === undefined) {
    terminal.bytes(bytes);
    return;
  }
  const text = textIn(bytes);
  if (text === undefined) {
    throw failure("invalid", `the answer is ${bytes.length} bytes that are no text: ${instead}`);
  }
  const lines = text.replaceAll("\t", "    ").split(/\r?\n/).map(printable);
  terminal.out(`${lines.join("\n")}${text.endsWith("\n") ? "" : "\n"}`);
}

/** Bytes as the text that they are; undefined for others. */
export function textIn(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
