import { failure } from "../base/failure.ts";
import { readPayload } from "./payload.ts";
import type { Run } from "./run.ts";

/** The longest value; the contract says it, too. */
const maxBytes = 64 << 10;
const newline = 10;

/** Where a value may come from. Never from the command line or the environment: others see those. */
export interface SecretFlags {
  fromFile?: string;
  exact: boolean;
}

/**
 * The value of a secret: of a file, of what is piped in, or typed without being shown. The line break with which editors and
 * `echo` end a single line is no part of it, unless it is taken exactly. The caller clears it.
 * @throws {Failure} not_found, exhausted; invalid: there is nothing.
 */
export async function readSecretValue(run: Run, { fromFile, exact }: SecretFlags): Promise<Uint8Array> {
  const { terminal, cwd, signal } = run;
  const read = async () => {
    if (fromFile !== undefined && fromFile !== "-") return await readPayload(fromFile, { cwd, maxBytes });
    if (terminal.asks) return await terminal.secret("Value (it is not shown): ", signal);
    return await terminal.input(maxBytes, signal);
  };
  const bytes = await read();
  const value = exact ? bytes : withoutLastBreak(bytes);
  if (value.length === 0)
    throw failure("invalid", "the value is empty: pipe it in, or name its file with --from-file");
  return value;
}

function withoutLastBreak(bytes: Uint8Array): Uint8Array {
  const isOneLine = bytes.indexOf(newline) === bytes.length - 1;
  if (!isOneLine) return bytes;
  const end = bytes.length - (bytes.at(-2) === 13 ? 2 : 1);
  return bytes.subarray(0, Math.max(0, end));
}
