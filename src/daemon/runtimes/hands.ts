import type { Clock } from "../../base/clock.ts";
import type { Gate } from "../../base/gate.ts";
import type { Rlimit } from "../engine/index.ts";
import type { Images } from "../images/index.ts";
import type { Locks } from "../locks/index.ts";
import type { Network } from "../network/index.ts";
import type { Store, Wish } from "../wishes/index.ts";
import type { RemovingHands } from "./remove.ts";

/** What a step needs besides itself. */
export interface Hands extends RemovingHands {
  instanceId: string;
  /** Where it is kept which image was meant, and what is still to be done. */
  store: Pick<Store, "get" | "update">;
  network: Pick<Network, "netmon" | "changes" | "attach" | "detach" | "macOf">;
  wish: Wish;
  refused: ReadonlySet<Rlimit>;
  clock: Clock;
  /** How long a created runtime must run before it counts as running, in milliseconds. */
  settleMs: number;
  /** Uniform in [0, 1), for choices that others make, too. */
  random: () => number;
  /** Starts at once: more of them are slower in total. */
  starts: Gate;
  images: Pick<Images, "pull" | "used">;
  locks: Locks;
  /** Ends what may be left half done: pulls and waits. */
  waiting: AbortSignal;
}
