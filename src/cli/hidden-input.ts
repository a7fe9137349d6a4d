import { failure } from "../base/failure.ts";
import type { Streams } from "./streams.ts";

const keys = { interrupt: 3, end: 4, backspace: 8, newline: 10, enter: 13, erase: 21, delete: 127 };
const maxBytes = 4096;

/**
 * A line that a person types and nobody sees: the terminal is told to show nothing, and is put back whatever happens.
 * @throws {Failure} cancelled: Ctrl-C, or the signal.
 */
export async function readHidden(
  question: string,
  { stdin, stderr }: Pick<Streams, "stdin" | "stderr">,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const line = Buffer.alloc(maxBytes);
  let length = 0;
  const done = Promise.withResolvers<void>();
  const cancel = () => done.reject(failure("cancelled", "nothing was typed to its end: nothing was done"));
  const onData = (bytes: Buffer) => {
    for (const byte of bytes) {
      if (byte === keys.interrupt) return cancel();
      if (byte === keys.enter || byte === keys.newline || byte === keys.end) return done.resolve();
      if (byte === keys.erase) length = 0;
      else if (byte === keys.backspace || byte === keys.delete) length = Math.max(0, length - 1);
      else if (length < maxBytes) line[length++] = byte;
    }
  };
  stderr.write(question);
  stdin.setRawMode?.(true);
  stdin.on("data", onData);
  stdin.on("end", cancel);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    stdin.resume();
    await done.promise;
    return line.subarray(0, length);
  } finally {
    signal.removeEventListener("abort", cancel);
    stdin.off("data", onData).off("end", cancel).pause();
    stdin.setRawMode?.(false);
    stderr.write("\n");
  }
}
