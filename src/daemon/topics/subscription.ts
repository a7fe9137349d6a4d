import type { Overflow, TopicFilter, TopicMessage } from "../../../gen/edge/v1/topics_pb.ts";

/** What is asked of a subscription. */
export interface SubscribeAsk {
  /** Who, as of TopicMessage.publisher. */
  subscriber: string;
  /** Empty when it is no task. */
  taskId: string;
  filter: TopicFilter | undefined;
  /** From after this place on; from now on when absent. */
  afterSequence?: number;
  overflow: Overflow;
  /** 0 means the usual. */
  queueLimit: number;
}

/** Membership of a group, likewise. */
export interface JoinAsk extends SubscribeAsk {
  group: string;
  settleMs: number;
  attempts: number;
}

/** One message as it is handed to a subscriber. */
export interface Delivery {
  message: TopicMessage;
  /** How many were dropped of this subscription so far. */
  dropped: number;
  /** 1 for the first; 0 outside of groups. */
  attempt: number;
}

/** What an operator is told of a subscription. */
export interface Standing {
  ask: SubscribeAsk & { group?: string };
  queued: number;
  queueLimit: number;
  taken: number;
  dropped: number;
}

/** A subscription: it is there from the moment on in which it is made, until it is disposed of. */
export interface Subscribed extends Disposable {
  /**
   * The next message. One at a time is asked for.
   * @throws {Failure} exhausted: its queue was full, and it chose to end then. The signal's reason.
   */
  next(signal: AbortSignal): Promise<Delivery>;
  standing(): Standing;
}
