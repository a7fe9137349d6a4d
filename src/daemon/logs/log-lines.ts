import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type LogLine, LogLineSchema, LogStream } from "../../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../base/failure.ts";

/** One entry of the engine's log, as it came: a moment, a space, and what was written. */
export interface Entry {
  stream: LogStream;
  bytes: Buffer;
}

/** The engine puts eight bytes before each entry: which stream, and how long it is. */
const headBytes = 8;
/** An engine cuts after 16 KiB. What is so much longer is no log. */
const maxEntryBytes = 1 << 20;

/** The entries of a log that comes in pieces of any size. An entry's bytes are the piece's own: good until the next one. */
export async function* entriesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<Entry> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of pieces) {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    for (;;) {
      const length = rest.length < headBytes ? 0 : entryLength(rest);
      if (rest.length < headBytes + length || rest.length < headBytes) break;
      const stream = rest[0] === 2 ? LogStream.STDERR : LogStream.STDOUT;
      yield { stream, bytes: rest.subarray(headBytes, headBytes + length) };
      rest = rest.subarray(headBytes + length);
    }
  }
}

function entryLength(head: Buffer): number {
  const length = head.readUInt32BE(4);
  if ((head[0] ?? 0) > 2 || head.readUIntBE(1, 3) !== 0 || length > maxEntryBytes) {
    throw failure("unsupported", "the engine tells this log in a form that this program does not know");
  }
  return length;
}

const newLine = 0x0a;

/** The line that an entry is. An entry that does not end with a line's end was cut by the engine. */
export function lineOf(entry: Entry): LogLine {
  const { stream, bytes } = entry;
  const cut = bytes.at(-1) !== newLine;
  const text = bytes.toString("utf8", bytes.indexOf(" ") + 1, bytes.length - (cut ? 0 : 1));
  return create(LogLineSchema, { stream, cut, at: atOf(entry), text });
}

/** When an entry was written. */
export function atOf({ bytes }: Entry): Timestamp {
  return momentOf(bytes.toString("latin1", 0, Math.max(bytes.indexOf(" "), 0)));
}

/** A moment to the nanosecond, as the engine writes it: `2026-11-21T10:00:00.123456789Z`. */
export function momentOf(text: string): Timestamp {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) {
    throw failure("unsupported", "the engine tells this log in a form that this program does not know");
  }
  const [, fraction = ""] = /\.(\d{1,9})/.exec(text) ?? [];
  return create(TimestampSchema, {
    seconds: BigInt(Math.floor(ms / 1000)),
    nanos: Number(fraction.padEnd(9, "0")),
  });
}

/** Whether one moment is before another. */
export function isBefore(one: Timestamp, other: Timestamp): boolean {
  return one.seconds < other.seconds || (one.seconds === other.seconds && one.nanos < other.nanos);
}
