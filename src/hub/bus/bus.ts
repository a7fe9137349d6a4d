import type { Failure } from "../../base/failure.ts";

/** What comes to who subscribed or serves. */
export interface Message {
  subject: string;
  data: Uint8Array;
}

/**
 * A member of a bus. Subjects are words with dots between, as in `wake.replica-1`; in a pattern `*` stands for one word, and `>`
 * at the end for one or more. A member never hears itself: what it says, it knows.
 */
export interface Bus extends AsyncDisposable {
  /** Why nothing arrives now, as a sentence with its next step; undefined while the bus works. */
  readonly problem: Failure | undefined;
  /** Messages that this member dropped, because the bus was away or a queue was full. */
  readonly dropped: number;
  /** Says something to whoever listens now. Never waits and never fails: what cannot be sent is dropped, and counted. */
  publish(subject: string, data: Uint8Array): void;
  /** Calls `onMessage` with what others say, in the order in which each of them said it, until the returned function is called. */
  subscribe(pattern: string, onMessage: (message: Message) => void): () => void;
  /**
   * Answers requests of others until the returned function is called. What `answer` throws, the one who asked is told. With
   * `requestLimit` under way, the next is refused with `exhausted`.
   */
  serve(pattern: string, answer: (message: Message) => Promise<Uint8Array>): () => void;
  /**
   * Asks whoever serves the subject.
   * @throws {Failure} unavailable: nobody serves it, said at once; or the bus is away. deadline: no answer in time.
   * exhausted: `requestLimit` requests wait already, or the answer is larger than the bus carries. Else what the answer
   * throws, or the signal's reason.
   */
  request(
    subject: string,
    data: Uint8Array,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Uint8Array>;
  /** Calls `listener` when the bus is back after it was away: what was said meanwhile is lost, so look at the store now. */
  onReturn(listener: () => void): () => void;
}

/** Requests of one member that wait for answers, and requests that it answers at once. */
export const requestLimit = 4096;

/** Messages that wait for the listeners of one member, or to leave it. */
export const queueLimit = 10_000;

/** Bytes that may wait to leave a member. */
export const queueBytes = 16 << 20;
