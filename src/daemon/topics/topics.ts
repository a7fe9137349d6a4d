import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type DeadLetter,
  type PublishMessageRequest,
  type TopicMessage,
  TopicMessageSchema,
} from "../../../gen/edge/v1/topics_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import type { Sql } from "../../base/sql.ts";
import { Tally } from "../../base/tally.ts";
import { Batch } from "./batch.ts";
import { listDead } from "./dead-letters.ts";
import { Groups } from "./groups.ts";
import { Listener } from "./listener.ts";
import { type Kept, Log } from "./log.ts";
import { openStateFile, type StateFileOptions } from "./state-file.ts";
import type { JoinAsk, Standing, SubscribeAsk, Subscribed } from "./subscription.ts";

/** What is to be published. */
export type Draft = Pick<
  PublishMessageRequest,
  "topic" | "payload" | "attributes" | "urgency" | "correlationId"
> & {
  publisher: string;
  taskId?: string;
  /** The command that publishes it: carried out again after a crash, it publishes nothing again. */
  commandId?: string;
};

/** What became of it. */
export interface Published {
  sequence: number;
  /** How many subscribers got it into their queue, or will read it. */
  subscribers: number;
  /** How many tasks those are. */
  tasks: number;
}

/** Something that is to be on disk before its caller hears of it. */
interface Piece {
  drafts: readonly Draft[];
  /** Written in the same commit. */
  also: (() => void) | undefined;
  resolve(published: Published[]): void;
  reject(thrown: unknown): void;
}

export interface TopicsOptions extends StateFileOptions {
  kept: Kept;
}

const subscriptionLimit = 10_000;
/** Messages that are dropped of one subscriber are one event in so long, in milliseconds. */
const droppedPeriodMs = 10_000;

/**
 * Messages by topics. What is published in one turn of the event loop shares a commit; it is handed to subscribers, and its
 * publisher hears of it, when it is on disk. So nobody has seen a message that a crash forgets, and no place is given twice.
 */
export class Topics implements Disposable {
  readonly log: Log;
  /** Told when something was published. */
  readonly changes = new Changes();
  /** This room's own file. */
  readonly sql: Sql;
  readonly #clock: Clock;
  readonly #groups: Groups;
  readonly #listeners = new Set<Listener>();
  readonly #subscriptions = new Set<Subscribed>();
  readonly #dropped: Tally<string>;
  readonly #batch = new Batch<Piece>((pieces) => this.#commit(pieces));

  private constructor(sql: Sql, { journal, clock, kept }: TopicsOptions) {
    this.sql = sql;
    this.#clock = clock;
    this.log = new Log(sql, kept);
    this.#dropped = new Tally<string>({
      clock,
      periodMs: droppedPeriodMs,
      tell: (subscriber, count) => {
        const value = { $typeName: "edge.v1.MessagesDropped" as const, subscriber, count: BigInt(count) };
        journal.record(
          { case: "messagesDropped", value },
          { reason: "a subscriber was slower than those who publish" },
        );
      },
    });
    this.#groups = new Groups({
      ...{ sql, clock, log: this.log },
      changed: () => this.#batch.soon(),
      missed: (group, count) => this.#dropped.note(`group ${group}`, `agent/${group}`, count),
    });
  }

  /** @throws {Failure} as `Sql.open` does. */
  static open(options: TopicsOptions): Topics {
    return new Topics(openStateFile(options), options);
  }

  /**
   * Publishes a message: on disk when it resolves.
   * @throws {Failure} exhausted: a subscriber with a full queue wants publishers to stand still; the disk is full, or cannot keep up.
   */
  async publish(draft: Draft): Promise<Published> {
    const [published] = await this.write([draft]);
    if (!published) throw new Error("a draft was published as nothing");
    return published;
  }

  /** Publishes some messages, and does `also` in their transaction. All of it or nothing. Fails as `publish` does. */
  write(drafts: readonly Draft[], also?: () => void): Promise<Published[]> {
    return new Promise((resolve, reject) => {
      const bytes = drafts.reduce((sum, { payload }) => sum + payload.length, 0);
      this.#batch.add({ drafts, also, resolve, reject }, bytes);
    });
  }

  /** Subscribes, from now on or from a place on. @throws {Failure} exhausted: there are too many subscriptions. */
  subscribe(ask: SubscribeAsk): Subscribed {
    this.#checkRoom();
    const { subscriber, taskId } = ask;
    const listener: Listener = new Listener(ask, this.log, {
      end: () => {
        this.#listeners.delete(listener);
        this.#subscriptions.delete(listener);
      },
      drop: ({ topic }, count) => {
        // An event about this topic would be dropped as well, and so on for ever.
        if (topic !== "node.messages_dropped")
          this.#dropped.note(`${subscriber} ${taskId}`, subscriber, count);
      },
    });
    this.#listeners.add(listener);
    this.#subscriptions.add(listener);
    return listener;
  }

  /** Joins a group. @throws {Failure} conflict: its members have other terms. exhausted, as above. */
  join(ask: JoinAsk): Subscribed {
    this.#checkRoom();
    const member = this.#groups.join(ask);
    const subscribed: Subscribed = {
      ...member,
      [Symbol.dispose]: () => {
        this.#subscriptions.delete(subscribed);
        member[Symbol.dispose]();
      },
    };
    this.#subscriptions.add(subscribed);
    return subscribed;
  }

  /**
   * Says what became of a message of a group. On disk when it resolves.
   * @throws {Failure} conflict: this task does not have the message.
   */
  async settle(group: string, taskId: string, sequence: number, isDone: boolean): Promise<void> {
    this.#groups.settle(group, taskId, sequence, isDone);
    await this.write([]);
  }

  subscriptions(): Standing[] {
    return [...this.#subscriptions].map((one) => one.standing());
  }

  deadLetters(of: { group: string; limit: number }): DeadLetter[] {
    return listDead(this.sql, of);
  }

  /** Commits what waits. Subscriptions end with their callers. */
  [Symbol.dispose](): void {
    this.#groups[Symbol.dispose]();
    this.#dropped[Symbol.dispose]();
    this.#batch[Symbol.dispose]();
    this.sql[Symbol.dispose]();
  }

  #checkRoom(): void {
    if (this.#subscriptions.size < subscriptionLimit) return;
    throw failure("exhausted", `this node has ${subscriptionLimit} subscriptions: end some first`);
  }

  #commit(pieces: readonly Piece[]): void {
    const admitted = this.#admit(pieces);
    try {
      const saved = this.sql.transaction(() => {
        const messages = admitted.flatMap(({ messages }) => messages.filter(({ isKnown }) => !isKnown));
        const appended = this.log.append(messages);
        for (const { piece } of admitted) piece.also?.();
        return [appended, this.#groups.write()];
      });
      for (const isSaved of saved) isSaved();
    } catch (thrown) {
      for (const { piece } of admitted) piece.reject(thrown);
      return;
    }
    for (const { piece, messages } of admitted) piece.resolve(messages.map((one) => this.#deliver(one)));
    if (admitted.some(({ messages }) => messages.length > 0)) {
      this.#groups.wake();
      this.changes.notify();
    }
  }

  /** Gives messages their places. What a subscriber refuses is told to its publisher, and gets none. */
  #admit(pieces: readonly Piece[]): { piece: Piece; messages: Placed[] }[] {
    const at = timestampFromMs(this.#clock.now());
    const coming = new Map<Listener, { messages: number; bytes: number }>();
    const places = new Map<string, number>();
    let last = this.log.last;
    return pieces.flatMap((piece) => {
      const messages: Placed[] = [];
      for (const draft of piece.drafts) {
        const { commandId } = draft;
        const place = commandId && (places.get(commandId) ?? this.log.placeOfCommand(commandId));
        const message = create(TopicMessageSchema, {
          ...fieldsOf(draft),
          at,
          sequence: BigInt(place || last + 1),
        });
        const topic = message.topic.split(".");
        if (draft.publisher !== "node" && this.#isRefused(message, topic, coming)) {
          piece.reject(refused(message.topic));
          return [];
        }
        if (!place) last++;
        if (commandId) places.set(commandId, Number(message.sequence));
        messages.push({ message, topic, isKnown: Boolean(place), ...(commandId ? { commandId } : {}) });
      }
      return [{ piece, messages }];
    });
  }

  #isRefused(
    message: TopicMessage,
    topic: readonly string[],
    coming: Map<Listener, { messages: number; bytes: number }>,
  ): boolean {
    for (const listener of this.#listeners) if (listener.refuses(message, topic, coming)) return true;
    return false;
  }

  #deliver({ message, topic, isKnown }: Placed): Published {
    const sequence = Number(message.sequence);
    if (isKnown) return { sequence, subscribers: 0, tasks: 0 };
    let subscribers = 0;
    const tasks = new Set<string>();
    for (const listener of this.#listeners) {
      if (!listener.offer(message, topic)) continue;
      subscribers++;
      if (listener.ask.taskId !== "") tasks.add(listener.ask.taskId);
    }
    return { sequence, subscribers, tasks: tasks.size };
  }
}

/** A message with its place. */
interface Placed {
  message: TopicMessage;
  topic: readonly string[];
  /** Whether it is there already: its command was carried out before. */
  isKnown: boolean;
  commandId?: string;
}

function fieldsOf({ topic, payload, attributes, urgency, correlationId, publisher, taskId = "" }: Draft) {
  return { topic, payload, attributes, urgency, correlationId, publisher, taskId };
}

function refused(topic: string) {
  return failure(
    "exhausted",
    `a subscriber of ${topic} has a full queue and wants publishers to stand still: publish again in a moment`,
  );
}
