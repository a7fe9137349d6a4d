import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import type { Engine } from "../engine/index.ts";
import {
  type Counted,
  countedIn,
  type Opening,
  opening,
  type RefusedCalls,
  readable,
  refusedIn,
  type Said,
  saidIn,
  secretBytes,
} from "./first-process.ts";

/** A line that is longer is told in pieces of this size. */
const longestLine = 4096;
/** The engine puts eight bytes before each piece: which stream, and how long it is. */
const headBytes = 8;

export interface StreamsOptions {
  /** The most of its output that is kept. */
  ioBytes: number;
  /** Told of every line, if somebody listens. */
  onLine?: ((stream: "stdout" | "stderr", line: string) => void) | undefined;
  /** Told at once of the first system call of each kind that was refused. */
  onRefused?: (refused: RefusedCalls) => void;
}

/**
 * The standard streams of one cell, for as long as the engine hands them on. They are read all the time, so that no program waits
 * for us; of its output as much is kept as it may have.
 */
export class Streams {
  /** Resolves when the engine hands nothing on any more, because all ended, or the engine did. */
  readonly ended: Promise<void>;
  /** Bytes of output that were dropped. */
  dropped = 0;
  /** Known to us and to the first process. */
  readonly secret = randomBytes(secretBytes);
  readonly #stream: Duplex;
  readonly #limits: StreamsOptions;
  readonly #output: Buffer[] = [];
  #outputBytes = 0;
  readonly #lines = { stdout: "", stderr: "" };
  /** It says no more than about a hundred lines. */
  readonly #said: Said[] = [];

  constructor(stream: Duplex, limits: StreamsOptions) {
    this.#stream = stream;
    this.#limits = limits;
    stream.on("error", () => {}); // Its end is told by `ended`, whatever the reason.
    this.ended = this.#read();
  }

  get output(): Buffer {
    return Buffer.concat(this.#output);
  }

  /** Whether they were handed on until the end: the first process speaks last. */
  get isWhole(): boolean {
    return this.#said.some(({ isAtOnce }) => !isAtOnce);
  }

  /** What the first process said in the end. */
  get counted(): Counted {
    return countedIn(this.#said);
  }

  /** Hands bytes on to standard input; resolves when the engine has taken them. */
  async write(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Reads no more. */
  close(): void {
    this.#stream.destroy();
  }

  async #read(): Promise<void> {
    let rest: Buffer = Buffer.alloc(0);
    try {
      for await (const piece of this.#stream as AsyncIterable<Buffer>) {
        rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
        rest = this.#take(rest);
      }
    } catch {
      // The engine went away.
    }
    for (const stream of ["stdout", "stderr"] as const) {
      if (this.#lines[stream] !== "") this.#tell(stream, this.#lines[stream]);
    }
  }

  /** @returns what is not whole yet. */
  #take(bytes: Buffer): Buffer {
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const end = at + headBytes + bytes.readUInt32BE(at + 4);
      if (end > bytes.length) break;
      this.#add(bytes[at] === 2 ? "stderr" : "stdout", bytes.subarray(at + headBytes, end));
      at = end;
    }
    return bytes.subarray(at);
  }

  #add(stream: "stdout" | "stderr", piece: Buffer): void {
    if (stream === "stdout") {
      const kept = piece.subarray(0, Math.max(0, this.#limits.ioBytes - this.#outputBytes));
      if (kept.length > 0) this.#output.push(Buffer.from(kept));
      this.#outputBytes += kept.length;
      this.dropped += piece.length - kept.length;
    }
    if (stream === "stdout" && !this.#limits.onLine) return;
    const lines = (this.#lines[stream] + piece.toString("utf8")).split("\n");
    this.#lines[stream] = lines.pop()?.slice(-longestLine) ?? "";
    for (const line of lines) this.#tell(stream, line);
  }

  #tell(stream: "stdout" | "stderr", line: string): void {
    const said = stream === "stderr" ? saidIn(line, this.secret) : undefined;
    if (said) this.#hear(said);
    const shown = stream === "stderr" ? readable(line) : line;
    if (shown !== undefined) this.#limits.onLine?.(stream, shown.slice(0, longestLine));
  }

  #hear(said: Said): void {
    this.#said.push(said);
    const refused = said.isAtOnce ? refusedIn(said) : undefined;
    if (refused) this.#limits.onRefused?.(refused);
  }
}

/** The standard streams of a container that is made and not started yet; its program starts at once if it is made ahead. */
export async function attach(
  engine: Engine,
  containerId: string,
  { isAhead, filter, ...options }: StreamsOptions & Opening,
  signal: AbortSignal,
): Promise<Streams> {
  const stream: unknown = await engine.call("attach to a cell", signal, (docker) =>
    docker
      .getContainer(containerId)
      .attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true }),
  );
  const streams = new Streams(stream as Duplex, options); // What `hijack` asks for.
  await streams.write(opening(streams.secret, { isAhead, filter }));
  return streams;
}
