import type { Readable, Writable } from "node:stream";

/** The streams of a program, and whether a person is at their other end. */
export interface Streams {
  stdin: Readable & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean };
}
