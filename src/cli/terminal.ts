import { createInterface } from "node:readline/promises";
import { addAbortSignal } from "node:stream";
import { failure } from "../base/failure.ts";
import { readHidden } from "./hidden-input.ts";
import type { Streams } from "./streams.ts";

/** Where a person or a program reads us: results on `out`, everything else on `err`. */
export interface Terminal {
  /** Writes a result. */
  out(text: string): void;
  /** Writes a result that need not be text, as it is. */
  bytes(bytes: Uint8Array): void;
  /** Writes what is not a result: progress, hints, errors. */
  err(text: string): void;
  /** Width for tables when a person reads; undefined in a pipe. */
  columns: number | undefined;
  /** Whether progress may be drawn over itself on `err`. */
  animated: boolean;
  /** Whether a person can be asked. */
  asks: boolean;
  style: Style;
  /** What is piped in, to its end. @throws {Failure} exhausted: it is more than this. */
  input(maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
  /** Asks for a line that is not shown, typed at a terminal. @throws {Failure} when the signal aborts, or by Ctrl-C. */
  secret(question: string, signal: AbortSignal): Promise<Uint8Array>;
  /** Asks a question that is answered by y or n; anything but yes is no. @throws {Failure} when the signal aborts. */
  confirm(question: string, signal: AbortSignal): Promise<boolean>;
}

/** Colours, or the text as it is. */
export interface Style {
  bold: (text: string) => string;
  good: (text: string) => string;
  bad: (text: string) => string;
}

/** The terminal of a process. Colours only for a person, and not when `NO_COLOR` is set or the terminal is dumb. */
export function openTerminal({ stdin, stdout, stderr }: Streams, env: NodeJS.ProcessEnv): Terminal {
  const plain = (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb";
  const coloured = stdout.isTTY === true && !plain;
  return {
    out: (text) => void stdout.write(text),
    bytes: (bytes) => void stdout.write(bytes),
    err: (text) => void stderr.write(text),
    columns: stdout.isTTY ? (stdout.columns ?? 80) : undefined,
    animated: stderr.isTTY === true && env.TERM !== "dumb",
    asks: stdin.isTTY === true && stderr.isTTY === true,
    style: coloured ? colours : noColours,
    async input(maxBytes, signal) {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of addAbortSignal(signal, stdin) as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > maxBytes) {
          throw failure("exhausted", `more than ${maxBytes} bytes are piped in, which is all that is read`);
        }
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
    secret: (question, signal) => readHidden(question, { stdin, stderr }, signal),
    async confirm(question, signal) {
      const lines = createInterface({ input: stdin, output: stderr });
      try {
        const answer = await lines.question(`${question} [y/N] `, { signal });
        return /^y(es)?$/i.test(answer.trim());
      } catch (cause) {
        throw failure("cancelled", "not confirmed: nothing was done", { cause });
      } finally {
        lines.close();
      }
    },
  };
}

const painted = (code: number) => (text: string) => (text === "" ? "" : `\x1b[${code}m${text}\x1b[0m`);
const colours: Style = { bold: painted(1), good: painted(32), bad: painted(31) };
const same = (text: string) => text;
const noColours: Style = { bold: same, good: same, bad: same };
