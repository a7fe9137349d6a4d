import { Bell } from "../../base/bell.ts";
import type { Clock } from "../../base/clock.ts";
import { type Failure, failure } from "../../base/failure.ts";
import { newId } from "../../base/ids.ts";

/** A task, as the other side of a call knows it. */
export interface Party {
  agent: string;
  taskId: string;
}

export interface Call {
  id: string;
  from: Party;
  payload: Uint8Array;
}

export interface Reply {
  payload: Uint8Array;
  /** The task that replied. */
  taskId: string;
}

/** A task that takes requests. */
export interface Taker extends Disposable {
  /** The next request that is for it. Rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<Call>;
}

interface Pending extends Call {
  settle: PromiseWithResolvers<Reply>;
}

interface Taking {
  party: Party;
  queue: Pending[];
  /** Handed out, without a reply. */
  open: Map<string, Pending>;
  bell: Bell;
}

const usualTimeoutMs = 30_000;
/** Requests that one task may have without having replied. */
const perTaskLimit = 16;

/** Requests between agents. Each goes to the task of the other agent that has the fewest; nothing of them is kept. */
export class Calls {
  readonly #clock: Clock;
  readonly #takers = new Map<string, Taking[]>();
  readonly #byCall = new Map<string, Taking>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes requests for an agent, until it is disposed of. */
  take(party: Party): Taker {
    const taking: Taking = { party, queue: [], open: new Map(), bell: new Bell() };
    const all = this.#takers.get(party.agent) ?? [];
    this.#takers.set(party.agent, [...all, taking]);
    return {
      next: async (signal) => {
        for (;;) {
          const call = taking.queue.shift();
          if (!call) {
            await taking.bell.wait(signal);
            continue;
          }
          taking.open.set(call.id, call);
          return call;
        }
      },
      [Symbol.dispose]: () => this.#leave(taking),
    };
  }

  /**
   * Sends a request and waits for its reply.
   * @throws {Failure} unavailable: nobody takes requests, or who had it left. exhausted: all have their hands full. deadline: no
   * reply in time. invalid: it was refused, with the other's sentence.
   */
  async call(
    from: Party,
    { agent, payload, timeoutMs }: { agent: string; payload: Uint8Array; timeoutMs: number },
    signal: AbortSignal,
  ): Promise<Reply> {
    const call: Pending = { id: newId("call"), from, payload, settle: Promise.withResolvers() };
    call.settle.promise.catch(() => {}); // Its caller may have left.
    const over = new AbortController();
    const limitMs = timeoutMs || usualTimeoutMs;
    const late = this.#clock.sleep(limitMs, AbortSignal.any([signal, over.signal])).then(() => {
      throw failure("deadline", `agent ${agent} did not reply within ${limitMs} ms`);
    });
    late.catch(() => {}); // The race below hears of it, or nobody need.
    try {
      this.#hand(agent, call);
      return await Promise.race([call.settle.promise, late]);
    } finally {
      over.abort();
      this.#forget(call);
    }
  }

  /**
   * Answers a request.
   * @throws {Failure} not_found: it is over. denied: it was given to another task.
   */
  reply(taskId: string, callId: string, answer: { payload: Uint8Array } | { refused: string }): void {
    const taking = this.#byCall.get(callId);
    const call = taking?.open.get(callId);
    if (!taking || !call) {
      throw failure(
        "not_found",
        `there is no call ${callId}: it was replied to, or its caller does not wait any more`,
      );
    }
    if (taking.party.taskId !== taskId) {
      throw failure("denied", `the call ${callId} was given to another task, which alone may reply`);
    }
    if ("refused" in answer) call.settle.reject(failure("invalid", answer.refused));
    else call.settle.resolve({ payload: answer.payload, taskId });
    this.#forget(call);
  }

  /** Gives a call to the task that has the fewest; of several, to the one that had its last one the longest ago. */
  #hand(agent: string, call: Pending): void {
    const takers = this.#takers.get(agent) ?? [];
    const [first] = takers.toSorted((one, other) => loadOf(one) - loadOf(other));
    if (!first) throw noTaker(agent);
    if (loadOf(first) >= perTaskLimit) {
      throw failure(
        "exhausted",
        `every task of agent ${agent} has ${perTaskLimit} calls to reply to: try again later`,
      );
    }
    this.#takers.set(agent, [...takers.filter((one) => one !== first), first]);
    this.#byCall.set(call.id, first);
    first.queue.push(call);
    first.bell.ring();
  }

  #forget({ id }: Pending): void {
    const taking = this.#byCall.get(id);
    if (!taking) return;
    this.#byCall.delete(id);
    taking.open.delete(id);
    taking.queue = taking.queue.filter((one) => one.id !== id);
  }

  /** What a task that leaves was not given yet goes to others. */
  #leave(taking: Taking): void {
    const { agent } = taking.party;
    const rest = (this.#takers.get(agent) ?? []).filter((one) => one !== taking);
    if (rest.length > 0) this.#takers.set(agent, rest);
    else this.#takers.delete(agent);
    for (const call of taking.open.values()) {
      call.settle.reject(failure("unavailable", `the task ${taking.party.taskId} ended before it replied`));
    }
    for (const call of taking.queue) {
      try {
        this.#hand(agent, call);
      } catch (thrown) {
        call.settle.reject(thrown);
      }
    }
    taking.queue = [];
  }
}

function loadOf({ queue, open }: Taking): number {
  return queue.length + open.size;
}

function noTaker(agent: string): Failure {
  return failure("unavailable", `no task of agent ${agent} takes calls now: execute one that does`);
}
