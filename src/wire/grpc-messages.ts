/**
 * Messages of gRPC in the bytes of an HTTP/2 stream: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. A line of
 * ours needs no more of gRPC than this and its headers; see docs/decisions/0038-the-line-is-http2-of-node.md.
 */
import { failure } from "../base/failure.ts";
import { maxTransportBytes } from "./limits.ts";

/** Each message has one byte before it, which says that it is not compressed, and four that say how long it is. */
const headBytes = 5;

/** A message as it travels. */
export function framed(message: Uint8Array): Buffer {
  const all = Buffer.allocUnsafe(headBytes + message.length);
  all[0] = 0;
  all.writeUInt32BE(message.length, 1);
  all.set(message, headBytes);
  return all;
}

/** Takes chunks as they come, and gives messages when they are asked for. */
export class Unframing {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** With fewer bytes there is nothing to give: a long message is put together once. */
  #due = headBytes;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /**
   * The next message, in memory that is the chunk's; undefined until it is here.
   * @throws {Failure} unsupported: it is compressed. exhausted: it is larger than `maxTransportBytes`.
   */
  next(): Uint8Array | undefined {
    if (this.#bytes < this.#due) return undefined;
    const [first] = this.#chunks;
    const all = first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    const end = headBytes + all.readUInt32BE(1);
    if (all[0] !== 0) throw failure("unsupported", "a message came that is compressed: send it as it is");
    if (end > headBytes + maxTransportBytes) {
      const length = end - headBytes;
      throw failure("exhausted", `a message of ${length} bytes came; at most ${maxTransportBytes} are taken`);
    }
    const isHere = all.length >= end;
    const rest = isHere ? all.subarray(end) : all;
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#bytes = rest.length;
    this.#due = isHere ? headBytes : end;
    return isHere ? all.subarray(headBytes, end) : undefined;
  }
}
