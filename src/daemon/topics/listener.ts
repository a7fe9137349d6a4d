import { setImmediate as nextTurn } from "node:timers/promises";
import { Overflow, type TopicMessage } from "../../../gen/edge/v1/topics_pb.ts";
import { Bell } from "../../base/bell.ts";
import { type Failure, failure } from "../../base/failure.ts";
import { type Wanted, wantedBy } from "./filter.ts";
import type { Log } from "./log.ts";
import { Queue } from "./queue.ts";
import type { Delivery, Standing, SubscribeAsk, Subscribed } from "./subscription.ts";

const usualQueueLimit = 256;
/** Messages that are read from disk at once for one that is behind. */
const pageSize = 200;

/**
 * A subscriber that gets all that it wants. It is either behind, and reads what is kept at its own pace, or it has caught up,
 * and what is published goes into its queue.
 */
export class Listener implements Subscribed {
  readonly ask: SubscribeAsk;
  readonly #log: Log;
  readonly #onEnd: (listener: Listener) => void;
  readonly #onDrop: (message: TopicMessage, count: number) => void;
  readonly #wanted: Wanted;
  readonly #queue: Queue;
  readonly #bell = new Bell();
  /** While it is behind: up to where it has read, and what of that it has not taken. */
  #behind: { place: number; page: TopicMessage[] } | undefined;
  #taken = 0;
  #dropped = 0;
  #ended: Failure | undefined;

  constructor(
    ask: SubscribeAsk,
    log: Log,
    on: { end(listener: Listener): void; drop(message: TopicMessage, count: number): void },
  ) {
    this.ask = ask;
    this.#log = log;
    this.#onEnd = on.end;
    this.#onDrop = on.drop;
    this.#wanted = wantedBy(ask.filter, ask.taskId);
    this.#queue = new Queue(ask.queueLimit || usualQueueLimit, ask.overflow);
    const { afterSequence } = ask;
    if (afterSequence !== undefined && afterSequence < log.last)
      this.#behind = { place: afterSequence, page: [] };
  }

  /** Whether it wants a message, and wants its publisher to stand still because it has no room, beside what is `coming` already. */
  refuses(
    message: TopicMessage,
    topic: readonly string[],
    coming: Map<Listener, { messages: number; bytes: number }>,
  ): boolean {
    if (this.#queue.overflow !== Overflow.REFUSE || this.#behind || !this.#wanted(message, topic))
      return false;
    const { messages, bytes } = coming.get(this) ?? { messages: 0, bytes: 0 };
    const more = { messages: messages + 1, bytes: bytes + message.payload.length };
    if (!this.#queue.hasRoom(more)) return true;
    coming.set(this, more);
    return false;
  }

  /** Hands it a message that is on disk. Returns whether it wants it. */
  offer(message: TopicMessage, topic: readonly string[]): boolean {
    if (!this.#wanted(message, topic)) return false;
    if (this.#behind) return true; // It will read it.
    const dropped = this.#queue.put(message);
    if (dropped === "full") {
      this.#ended = failure(
        "exhausted",
        `the queue of ${this.#queue.limit} messages was full: subscribe again after the last sequence that was taken`,
      );
      this.#onEnd(this);
    } else if (dropped > 0) {
      this.#dropped += dropped;
      this.#onDrop(message, dropped);
    }
    this.#bell.ring();
    return true;
  }

  async next(signal: AbortSignal): Promise<Delivery> {
    for (;;) {
      const message = this.#behind ? this.#readOn(this.#behind) : this.#queue.take();
      if (message) {
        this.#taken++;
        return { message, dropped: this.#dropped, attempt: 0 };
      }
      if (this.#ended) throw this.#ended;
      if (this.#behind) {
        await nextTurn();
        signal.throwIfAborted();
      } else await this.#bell.wait(signal);
    }
  }

  standing(): Standing {
    const { limit, length, overflow } = this.#queue;
    return {
      ask: { ...this.ask, overflow },
      queued: length + (this.#behind?.page.length ?? 0),
      queueLimit: limit,
      taken: this.#taken,
      dropped: this.#dropped,
    };
  }

  [Symbol.dispose](): void {
    this.#ended ??= failure("cancelled", "the subscription was ended");
    this.#onEnd(this);
    this.#bell.ring();
  }

  /** One message of what is kept, or a step towards it. Having read all, it is behind no more. */
  #readOn(behind: { place: number; page: TopicMessage[] }): TopicMessage | undefined {
    const message = behind.page.shift();
    if (message) return message;
    const page = this.#log.after(behind.place, pageSize);
    const last = page.at(-1);
    if (!last) this.#behind = undefined;
    else behind.place = Number(last.sequence);
    behind.page = page.filter((one) => this.#wanted(one, one.topic.split(".")));
    return behind.page.shift();
  }
}
