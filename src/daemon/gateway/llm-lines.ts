import type { Readable } from "node:stream";
import { failure } from "../../base/failure.ts";

/** A line that is longer is no part of a language model's answer. */
const maxLineBytes = 4 << 20;

/** The lines of a stream, as they come. @throws {Failure} unavailable: one is too long. */
export async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield rest.subarray(0, end).toString().replace(/\r$/, "");
      rest = rest.subarray(end + 1);
    }
    if (rest.length > maxLineBytes) throw failure("unavailable", "the provider writes a line without an end");
  }
  if (rest.length > 0) yield rest.toString();
}

/** The values of an event stream (`data: {...}`), without its comments and its `[DONE]`. */
export async function* eventsOf(lines: AsyncIterable<string>): AsyncGenerator {
  for await (const line of lines) {
    const [, text] = /^data: ?(.+)$/.exec(line) ?? [];
    if (text === "[DONE]") return;
    if (text !== undefined) yield parsed(text);
  }
}

/** The values of a stream of JSON lines. */
export async function* valuesOf(lines: AsyncIterable<string>): AsyncGenerator {
  for await (const line of lines) if (line.trim() !== "") yield parsed(line);
}

/** JSON of a provider. @throws {Failure} unavailable: it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw failure("unavailable", "what the provider answers is not JSON: is its url right?");
  }
}
