import type { LogLine, LogStream } from "../../../gen/edge/v1/runtimes_pb.ts";
import { type Entry, lineOf } from "./log-lines.ts";

/** What a line takes in an answer beside its text, in bytes: stream, moment, and what tells the fields. */
const aroundBytes = 40;

/**
 * The newest of any number of entries: at most so many, and at most so many bytes. Their bytes are in a ring that is made once,
 * so that a log of gigabytes leaves no garbage behind, and only what is answered becomes text.
 */
export class Tail {
  readonly #limit: { lines: number; bytes: number };
  readonly #ring: Buffer;
  #kept: { stream: LogStream; start: number; length: number }[] = [];
  /** Before this one, all were dropped. */
  #first = 0;
  #usedBytes = 0;
  #end = 0;
  #leftOut = false;

  constructor(limit: { lines: number; bytes: number }) {
    this.#limit = limit;
    this.#ring = Buffer.allocUnsafe(limit.bytes);
  }

  add({ stream, bytes }: Entry): void {
    const { length } = bytes;
    const ring = this.#ring;
    while (
      this.#kept.length > this.#first &&
      (this.#kept.length - this.#first >= this.#limit.lines || this.#usedBytes + length > ring.length)
    ) {
      this.#drop();
    }
    if (length > ring.length) {
      this.#leftOut = true;
      return;
    }
    const start = this.#end;
    const untilEnd = Math.min(length, ring.length - start);
    bytes.copy(ring, start, 0, untilEnd);
    bytes.copy(ring, 0, untilEnd);
    this.#kept.push({ stream, start, length });
    this.#usedBytes += length;
    this.#end = (start + length) % ring.length;
  }

  /** Oldest first, and whether there were more. */
  read(): { lines: LogLine[]; leftOut: boolean } {
    const lines: LogLine[] = [];
    let restBytes = this.#limit.bytes;
    for (const { stream, start, length } of this.#kept.slice(this.#first).reverse()) {
      const line = lineOf({ stream, bytes: this.#bytesOf(start, length) });
      restBytes -= Buffer.byteLength(line.text) + aroundBytes;
      if (restBytes < 0) return { lines: lines.reverse(), leftOut: true };
      lines.push(line);
    }
    return { lines: lines.reverse(), leftOut: this.#leftOut };
  }

  #bytesOf(start: number, length: number): Buffer {
    const ring = this.#ring;
    if (start + length <= ring.length) return ring.subarray(start, start + length);
    return Buffer.concat([ring.subarray(start), ring.subarray(0, start + length - ring.length)]);
  }

  #drop(): void {
    this.#usedBytes -= this.#kept[this.#first]?.length ?? 0;
    this.#first++;
    this.#leftOut = true;
    if (this.#first <= this.#limit.lines) return;
    this.#kept = this.#kept.slice(this.#first);
    this.#first = 0;
  }
}
