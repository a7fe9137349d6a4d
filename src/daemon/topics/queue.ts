import { Overflow, type TopicMessage } from "../../../gen/edge/v1/topics_pb.ts";

/** What waits for one subscriber holds at most this many bytes of payload, however few messages they are. */
const maxBytes = 16 << 20;

/** Messages that wait for one subscriber: bounded, and what happens at the bound was chosen. */
export class Queue {
  readonly limit: number;
  readonly overflow: Overflow;
  #messages: TopicMessage[] = [];
  /** Where the queue begins: moving it costs nothing, and what was taken is cut off now and then. */
  #head = 0;
  #bytes = 0;

  constructor(limit: number, overflow: Overflow) {
    this.limit = limit;
    this.overflow = overflow === Overflow.UNSPECIFIED ? Overflow.DROP_OLDEST : overflow;
  }

  get length(): number {
    return this.#messages.length - this.#head;
  }

  /** Whether it has room for this many more. */
  hasRoom(more: { messages: number; bytes: number }): boolean {
    return this.length + more.messages <= this.limit && this.#bytes + more.bytes <= maxBytes;
  }

  /** Puts a message at the end, and says how many were dropped for it, or instead; `full` means that the subscription must end. */
  put(message: TopicMessage): number | "full" {
    const one = { messages: 1, bytes: message.payload.length };
    let dropped = 0;
    if (!this.hasRoom(one) && this.overflow !== Overflow.DROP_OLDEST) {
      return this.overflow === Overflow.DROP_NEWEST ? 1 : "full";
    }
    while (!this.hasRoom(one) && this.take()) dropped++;
    this.#messages.push(message);
    this.#bytes += message.payload.length;
    return dropped;
  }

  /** The oldest message, which is out of the queue then. */
  take(): TopicMessage | undefined {
    const message = this.#messages[this.#head];
    if (!message) return undefined;
    this.#head++;
    this.#bytes -= message.payload.length;
    if (this.#head >= 256 && this.#head * 2 >= this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }
}
