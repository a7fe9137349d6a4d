import { type NatsConnection, RequestError, TimeoutError } from "@nats-io/transport-node";
import { backoffMs } from "../../base/backoff.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { type Failure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { answering, answerOf, lateAnswer, nobodyServes, refused, tooManyRequests } from "./answers.ts";
import { type Bus, type Message, queueBytes, requestLimit } from "./bus.ts";
import { connectNats, dialMs, type NatsServers } from "./nats-connection.ts";
import { mustBeSubject } from "./subjects.ts";

export interface NatsOptions extends NatsServers {
  /** What stands before every subject on the servers. */
  prefix: string;
  clock: Clock;
  log: Logger;
  /** Uniform in [0, 1). */
  random?: () => number;
}

/** Pauses between attempts to reach a server. */
const pauses = { firstMs: 250, lastMs: 2_000 };

/** Installs one listener or server on a connection. */
type Interest = (connection: NatsConnection) => void;

/**
 * A member of a bus on NATS servers, core only: they keep nothing. While no server is there, all that is said is dropped, and what
 * is asked fails at once; listening and serving go on when one is back.
 */
export class NatsBus implements Bus {
  dropped = 0;
  readonly #options: NatsOptions;
  readonly #interests = new Map<Interest, () => void>();
  readonly #returned = new Changes();
  readonly #closing = new AbortController();
  #connection: NatsConnection | undefined;
  #problem: Failure | undefined = away("it was not reached yet");
  #staying: Promise<void> = Promise.resolve();
  #requests = 0;
  /** Bytes that were published and may not have left yet. */
  #unsentBytes = 0;

  private constructor(options: NatsOptions) {
    this.#options = options;
  }

  /** Resolves when the server was dialled once, whatever came of it. */
  static async open(options: NatsOptions): Promise<NatsBus> {
    const bus = new NatsBus(options);
    await bus.#dial();
    bus.#staying = bus.#stay();
    return bus;
  }

  get problem(): Failure | undefined {
    return this.#problem;
  }

  publish(subject: string, data: Uint8Array): void {
    mustBeSubject(subject);
    const connection = this.#connection;
    if (!connection || this.#unsentBytes > queueBytes) {
      this.dropped++;
      return;
    }
    try {
      connection.publish(this.#full(subject), data);
    } catch {
      this.dropped++; // It is larger than the server takes, or the connection has just ended.
      return;
    }
    this.#unsentBytes += data.length;
    if (this.#unsentBytes === data.length) this.#awaitSent(connection);
  }

  subscribe(pattern: string, onMessage: (message: Message) => void): () => void {
    mustBeSubject(pattern, { wildcards: true });
    return this.#interest(pattern, ({ subject, data }) => onMessage({ subject, data }));
  }

  serve(pattern: string, answer: (message: Message) => Promise<Uint8Array>): () => void {
    mustBeSubject(pattern, { wildcards: true });
    const answered = answering(answer);
    return this.#interest(pattern, ({ subject, data, respond }) => {
      void answered({ subject, data }).then(respond);
    });
  }

  async request(
    subject: string,
    data: Uint8Array,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Uint8Array> {
    mustBeSubject(subject);
    signal?.throwIfAborted();
    const connection = this.#connection;
    if (!connection) throw this.#problem ?? away("it has just gone");
    if (this.#requests >= requestLimit) throw tooManyRequests();
    this.#requests++;
    const gaveUp = Promise.withResolvers<never>();
    const onAbort = () => gaveUp.reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const asked = connection.request(this.#full(subject), data, { timeout: timeoutMs });
      const { data: carried } = await Promise.race([asked, gaveUp.promise]);
      return answerOf(carried);
    } catch (thrown) {
      signal?.throwIfAborted();
      throw requestFailure(thrown, subject, timeoutMs);
    } finally {
      this.#requests--;
      signal?.removeEventListener("abort", onAbort);
    }
  }

  onReturn(listener: () => void): () => void {
    return this.#returned.listen(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    // What was said last is sent, if the server takes it.
    await Promise.race([this.#connection?.flush().catch(() => {}), this.#options.clock.sleep(dialMs)]);
    await this.#connection?.close().catch(() => {});
    await this.#staying;
  }

  #full(subject: string): string {
    return `${this.#options.prefix}.${subject}`;
  }

  #interest(
    pattern: string,
    onMessage: (message: Message & { respond: (answer: Uint8Array) => void }) => void,
  ): () => void {
    const cut = this.#options.prefix.length + 1;
    const interest: Interest = (connection) => {
      const subscription = connection.subscribe(this.#full(pattern), {
        callback: (error, message) => {
          if (error) return;
          const respond = (answer: Uint8Array) => respondTo(message, answer);
          onMessage({ subject: message.subject.slice(cut), data: message.data, respond });
        },
      });
      this.#interests.set(interest, () => subscription.unsubscribe());
    };
    this.#interests.set(interest, () => {});
    if (this.#connection) interest(this.#connection);
    return () => {
      this.#interests.get(interest)?.();
      this.#interests.delete(interest);
    };
  }

  /** Counts what leaves: a server that reads no more has nothing piled up for it without end. */
  #awaitSent(connection: NatsConnection): void {
    const bytes = this.#unsentBytes;
    const left = () => {
      if (this.#connection !== connection) return;
      this.#unsentBytes -= bytes;
      if (this.#unsentBytes > 0) this.#awaitSent(connection);
    };
    connection.flush().then(left, () => {}); // A connection that ended takes its count along: see `#stay`.
  }

  /** Stays connected, until the bus is closed. */
  async #stay(): Promise<void> {
    const { clock, log, random = Math.random } = this.#options;
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (this.#connection) {
        const ended = await this.#connection.closed();
        [this.#connection, this.#unsentBytes, attempt] = [undefined, 0, 0];
        if (signal.aborted) return;
        this.#problem = away("the connection to it ended", ended ?? undefined);
        log.warn(
          { error: this.#problem },
          "the bus is away: changes on other replicas are seen a little later",
        );
      } else await clock.sleep(backoffMs(attempt, { ...pauses, random }), signal).catch(() => {});
      if (!signal.aborted) await this.#dial();
    }
  }

  async #dial(): Promise<void> {
    const { url, log } = this.#options;
    try {
      const connection = await connectNats(this.#options, this.#closing.signal);
      if (this.#closing.signal.aborted) {
        await connection.close();
        return;
      }
      this.#connection = connection;
      for (const interest of [...this.#interests.keys()]) interest(connection);
      this.#problem = undefined;
      log.info({ server: connection.getServer() }, "the bus is there");
      this.#returned.notify();
    } catch (thrown) {
      const hosts = url.split(",").map((one) => new URL(one).host);
      const why = away(`${hosts.join(", ")} cannot be reached`, thrown);
      if (this.#problem?.message !== why.message) log.warn({ error: why }, "the bus cannot be reached");
      this.#problem = why;
    }
  }
}

function respondTo(message: { respond(data: Uint8Array): boolean }, answer: Uint8Array): void {
  try {
    message.respond(answer);
  } catch {
    const why = `the answer has ${answer.length} bytes, more than the bus carries: set max_payload of the NATS servers to 2MB`;
    try {
      message.respond(refused(failure("exhausted", why)));
    } catch {
      // The connection ended: the one who asked hears that, or its time runs out.
    }
  }
}

function requestFailure(thrown: unknown, subject: string, timeoutMs: number): unknown {
  if (thrown instanceof TimeoutError) return lateAnswer(subject, timeoutMs);
  if (thrown instanceof RequestError) {
    return thrown.isNoResponders() ? nobodyServes(subject) : away("it went away meanwhile", thrown);
  }
  if (!(thrown instanceof Error) || !/Connection/.test(thrown.name)) return thrown;
  return away("it went away meanwhile", thrown);
}

function away(what: string, cause?: unknown): Failure {
  const sentence = `the bus of this hub's replicas is away: ${what}; start the NATS server, or look at hub.bus_url`;
  return failure("unavailable", sentence, { cause });
}
