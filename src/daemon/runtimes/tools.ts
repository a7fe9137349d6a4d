import type { Logger } from "../../base/log.ts";
import type { ObservedContainer, Rlimit } from "../engine/index.ts";
import type { Other, Wish } from "../wishes/index.ts";
import type { Hands } from "./hands.ts";
import type { Pace } from "./pace.ts";
import type { Books } from "./record.ts";

/** What rounds share. */
export interface Tools
  extends Books,
    Omit<Hands, "store" | "wish" | "refused" | "waiting" | "progress" | "instanceId"> {
  /** Limits that this engine refused to raise; rounds add to it. */
  refused: Set<Rlimit>;
  /** Containers that this engine cannot start any more; likewise. */
  stuck: Set<string>;
  log: Logger;
  /** How long a program must have run until the engine may start it again by itself, in milliseconds. */
  trustAfterMs: number;
  /** How soon what ended is started again. */
  pace: Pace;
  /** How long a program that nobody checks must run after an update, in milliseconds. */
  provenMs: number;
  /** What counts of another runtime. */
  other: (runtime: string) => Other | undefined;
  /** From now on this run of a runtime is checked, or none. */
  follow: (name: string, wish: Wish, seen: ObservedContainer | undefined) => void;
  /** Called when what is being done changes. */
  notify: () => void;
  /** Asks for a look at this runtime after so many milliseconds. */
  lookIn: (name: string, ms: number) => void;
  /** Asks for a round of a runtime after so many milliseconds. */
  roundIn: (name: string, ms: number) => void;
  /** Uniform in [0, 1), for pauses. */
  random: () => number;
}
