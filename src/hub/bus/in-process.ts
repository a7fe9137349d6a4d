import { setTimeout as sleep } from "node:timers/promises";
import { answering, answerOf, lateAnswer, nobodyServes, tooManyRequests } from "./answers.ts";
import { type Bus, type Message, queueLimit, requestLimit } from "./bus.ts";
import { matches, mustBeSubject } from "./subjects.ts";

type Handler = (message: Message) => void;
type Answer = (message: Message) => Promise<Uint8Array>;

/** A bus within one process: for a hub that is alone, and for tests of several. Each `join` is a member. */
export class InProcessBus {
  readonly #members = new Set<Member>();

  /** A new member, until it is closed. */
  join(): Bus {
    const member = new Member(this.#members);
    this.#members.add(member);
    return member;
  }
}

class Member implements Bus {
  readonly problem = undefined;
  dropped = 0;
  readonly #members: Set<Member>;
  readonly #handlers = new Set<{ pattern: string; handler: Handler }>();
  readonly #servers = new Set<{ pattern: string; answer: Answer }>();
  #inbox: Message[] = [];
  #waiting = 0;

  constructor(members: Set<Member>) {
    this.#members = members;
  }

  publish(subject: string, data: Uint8Array): void {
    mustBeSubject(subject);
    for (const member of this.#members) if (member !== this) member.#deliver({ subject, data });
  }

  subscribe(pattern: string, handler: Handler): () => void {
    mustBeSubject(pattern, { wildcards: true });
    const one = { pattern, handler };
    this.#handlers.add(one);
    return () => this.#handlers.delete(one);
  }

  serve(pattern: string, answer: Answer): () => void {
    mustBeSubject(pattern, { wildcards: true });
    const one = { pattern, answer: answering(answer) };
    this.#servers.add(one);
    return () => this.#servers.delete(one);
  }

  async request(
    subject: string,
    data: Uint8Array,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Uint8Array> {
    mustBeSubject(subject);
    signal?.throwIfAborted();
    const answer = [...this.#members]
      .filter((member) => member !== this)
      .flatMap((member) => [...member.#servers])
      .find(({ pattern }) => matches(pattern, subject))?.answer;
    if (!answer) throw nobodyServes(subject);
    if (this.#waiting >= requestLimit) throw tooManyRequests();
    this.#waiting++;
    const over = new AbortController();
    const ends = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
    try {
      const late = sleep(timeoutMs, undefined, { signal: ends }).then(
        () => Promise.reject(lateAnswer(subject, timeoutMs)),
        () => Promise.reject(signal?.reason),
      );
      return answerOf(await Promise.race([answer({ subject, data }), late]));
    } finally {
      this.#waiting--;
      over.abort();
    }
  }

  onReturn(): () => void {
    return () => {}; // It is never away.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#members.delete(this);
    this.#handlers.clear();
    this.#servers.clear();
  }

  /** What is said in one turn is heard in the next; over the limit, what comes then is dropped. */
  #deliver(message: Message): void {
    const heard = [...this.#handlers].some(({ pattern }) => matches(pattern, message.subject));
    if (!heard) return;
    if (this.#inbox.length >= queueLimit) {
      this.dropped++;
      return;
    }
    if (this.#inbox.push(message) === 1) setImmediate(() => this.#read());
  }

  #read(): void {
    const messages = this.#inbox;
    this.#inbox = [];
    for (const message of messages) {
      for (const { pattern, handler } of [...this.#handlers]) {
        if (matches(pattern, message.subject)) handler(message);
      }
    }
  }
}
