import type { TopicMessage } from "../../../gen/edge/v1/topics_pb.ts";
import { Bell } from "../../base/bell.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import { type Wanted, wantedBy } from "./filter.ts";
import type { GroupPlace, PlaceChanges } from "./group-place.ts";
import type { Log } from "./log.ts";
import type { Delivery, JoinAsk } from "./subscription.ts";

/** A member, as its group knows it. */
export interface Member {
  readonly ask: JoinAsk;
  /** Most messages that it may have without having settled them. */
  readonly limit: number;
  /** How many it has. */
  held: number;
}

/** A message that waits to be given, for the first time or again. */
interface Waiting {
  message: TopicMessage;
  /** How often it was given before. */
  attempts: number;
}

/** A message that a member has and has not settled. */
interface Given extends Waiting {
  member: Member;
  /** On the clock's elapsed time. */
  dueAt: number;
}

/** What all members of a group must agree on. */
export type Terms = Pick<JoinAsk, "filter" | "settleMs" | "attempts">;

/** What a group tells whoever keeps it. */
export interface GroupEvents {
  /** There is something to write. */
  changed(): void;
  /** A message was given up. */
  dead(message: TopicMessage, attempts: number, reason: string): void;
  /** Messages had left the log before the group came to them: at most so many that it wanted. */
  missed(count: number): void;
}

/** Messages that are read from the log at once. */
const pageSize = 256;

/**
 * A consumer group: it reads the log from its place on, and each message that it wants goes to one member, which must settle it in
 * time. A slow group holds nothing in memory but a page: what it has not come to is in the log.
 */
export class Group {
  readonly name: string;
  readonly members = new Set<Member>();
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #on: GroupEvents;
  readonly #place: GroupPlace;
  readonly #bell = new Bell();
  readonly #given = new Map<number, Given>();
  readonly #again: Waiting[];
  #fresh: TopicMessage[] = [];
  #terms: Terms | undefined;
  #wanted: Wanted = () => false;
  #watching: AbortController | undefined;

  constructor(
    name: string,
    place: GroupPlace,
    { log, clock, on }: { log: Log; clock: Clock; on: GroupEvents },
  ) {
    this.name = name;
    this.#log = log;
    this.#clock = clock;
    this.#on = on;
    this.#place = place;
    // What was given when the daemon ended is given again; what has left the log since cannot be.
    this.#again = place.unsettled().flatMap(({ sequence, attempts }) => {
      const message = log.at(sequence);
      if (message) return [{ message, attempts }];
      place.settled(sequence);
      on.missed(1);
      return [];
    });
  }

  /** The terms of those who are in it now; a group without members takes those of its next one. */
  get terms(): Terms | undefined {
    return this.members.size === 0 ? undefined : this.#terms;
  }

  join(member: Member): void {
    if (this.members.size === 0) {
      this.#terms = member.ask;
      this.#wanted = wantedBy(member.ask.filter, "");
      this.#fresh = [];
    }
    this.members.add(member);
  }

  /** Takes a member out. What it had is given to others. */
  leave(member: Member): void {
    this.members.delete(member);
    for (const given of [...this.#given.values()]) {
      if (given.member === member) this.#failed(given, "its member left before it was settled");
    }
    if (this.members.size === 0) this.#fresh = [];
    this.#on.changed();
  }

  /** Tells waiting members to look again: something was published. */
  wake(): void {
    this.#bell.ring();
  }

  /** The next message for a member that has room for one. */
  async next(member: Member, signal: AbortSignal): Promise<Omit<Delivery, "dropped">> {
    for (;;) {
      signal.throwIfAborted();
      const waiting = member.held < member.limit ? (this.#again.shift() ?? this.#read()) : undefined;
      if (waiting) return this.#give(waiting, member);
      await this.#bell.wait(signal);
    }
  }

  /**
   * Notes what became of a message.
   * @throws {Failure} conflict: this task does not have it, or not any more.
   */
  settle(taskId: string, sequence: number, isDone: boolean): void {
    const given = this.#given.get(sequence);
    if (given?.member.ask.taskId !== taskId) {
      throw failure(
        "conflict",
        `message ${sequence} is not with this task: it was settled, or its time was over and another has it`,
      );
    }
    if (isDone) {
      this.#given.delete(sequence);
      this.#place.settled(sequence);
      this.#release(given);
    } else this.#failed(given, "its last member said that it was not dealt with");
  }

  /** What is to be written of it; undefined when nothing is. */
  changes(): PlaceChanges | undefined {
    return this.#place.changes();
  }

  [Symbol.dispose](): void {
    this.#watching?.abort();
    this.members.clear();
    this.#bell.ring();
  }

  #give({ message, attempts }: Waiting, member: Member): Omit<Delivery, "dropped"> {
    const sequence = Number(message.sequence);
    const attempt = attempts + 1;
    const dueAt = this.#clock.elapsed() + (this.#terms?.settleMs ?? 0);
    this.#given.set(sequence, { message, attempts: attempt, member, dueAt });
    this.#place.given(sequence, attempt);
    member.held++;
    this.#watch();
    return { message, attempt };
  }

  /** The next message of the log that is wanted. Reads one page at most: whoever finds nothing looks again when it is his turn. */
  #read(): Waiting | undefined {
    if (this.#fresh.length === 0) {
      const from = this.#place.read;
      const page = this.#log.after(from, pageSize);
      const [first] = page;
      const last = page.at(-1);
      if (!first || !last) return undefined;
      if (Number(first.sequence) > from + 1) this.#on.missed(Number(first.sequence) - from - 1);
      this.#fresh = page.filter((one) => this.#wanted(one, one.topic.split(".")));
      if (this.#fresh.length === 0) {
        this.#place.readTo(Number(last.sequence));
        setImmediate(() => this.#bell.ring());
      }
    }
    const message = this.#fresh.shift();
    if (!message) return undefined;
    this.#place.readTo(Number(this.#fresh[0]?.sequence ?? Number(message.sequence) + 1) - 1);
    return { message, attempts: 0 };
  }

  #release(given: Given): void {
    given.member.held--;
    this.#bell.ring();
    this.#on.changed();
  }

  /** One attempt came to nothing: another one, or none any more. */
  #failed(given: Given, reason: string): void {
    const sequence = Number(given.message.sequence);
    this.#given.delete(sequence);
    if (given.attempts < (this.#terms?.attempts ?? 1)) {
      this.#again.push({ message: given.message, attempts: given.attempts });
    } else {
      this.#place.settled(sequence);
      this.#on.dead(given.message, given.attempts, reason);
    }
    this.#release(given);
  }

  /** Watches over the times of what is given. The first that was given is due first: all have the same time. */
  #watch(): void {
    if (this.#watching) return;
    const watching = new AbortController();
    this.#watching = watching;
    const untilNoneIsGiven = async () => {
      for (;;) {
        const [next] = this.#given.values();
        if (!next) break;
        await this.#clock.sleep(Math.max(0, next.dueAt - this.#clock.elapsed()), watching.signal);
        for (const given of [...this.#given.values()]) {
          if (given.dueAt > this.#clock.elapsed()) break;
          this.#failed(given, "no member settled it in time");
        }
      }
      this.#watching = undefined;
    };
    untilNoneIsGiven().catch(() => {}); // Only the closing ends a sleep early.
  }
}
