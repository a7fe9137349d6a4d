import type { LogLine } from "../../../gen/edge/v1/runtimes_pb.ts";

/** What a line takes in an answer beside its text, in bytes: stream, moment, and what tells the fields. */
const aroundBytes = 40;

/** The newest lines of any number of lines: at most so many, and at most so many bytes. */
export class Tail {
  readonly #limit: { lines: number; bytes: number };
  #kept: { line: LogLine; bytes: number }[] = [];
  /** Before this one, all were dropped. */
  #first = 0;
  #bytes = 0;
  /** Whether a line was dropped. */
  leftOut = false;

  constructor(limit: { lines: number; bytes: number }) {
    this.#limit = limit;
  }

  add(line: LogLine): void {
    const bytes = Buffer.byteLength(line.text) + aroundBytes;
    this.#kept.push({ line, bytes });
    this.#bytes += bytes;
    while (this.#kept.length - this.#first > this.#limit.lines || this.#bytes > this.#limit.bytes)
      this.#drop();
  }

  /** Oldest first. */
  get lines(): LogLine[] {
    return this.#kept.slice(this.#first).map(({ line }) => line);
  }

  #drop(): void {
    this.#bytes -= this.#kept[this.#first]?.bytes ?? 0;
    this.#first++;
    this.leftOut = true;
    if (this.#first <= this.#limit.lines) return;
    this.#kept = this.#kept.slice(this.#first);
    this.#first = 0;
  }
}
