import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Seen } from "../picture/index.ts";
import type { Events } from "./events.ts";
import type { Store } from "./store.ts";
import type { Tended } from "./tended.ts";

/** What rounds work with, made once. */
export interface Tools {
  readonly store: Store;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The newest settled picture of the node's network. */
  readonly picture: () => Seen;
  /** Where the node's /dev is. */
  readonly devFolder: string;
  /** All owners that are looked after. */
  readonly all: () => Iterable<Tended>;
  /** Asks for a round of an owner: something about it is different. Costs nothing. */
  readonly wake: (tended: Tended) => void;
  /** Asks for a round after a time, unless one is asked for sooner. */
  readonly wakeAfter: (tended: Tended, ms: number) => void;
  /** What is told is different. */
  readonly changed: () => void;
}
