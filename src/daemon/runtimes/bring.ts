import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure } from "../../base/failure.ts";
import { type Engine, fullReference } from "../engine/index.ts";
import type { Images } from "../images/index.ts";
import type { Wish } from "../wishes/index.ts";
import type { Ask } from "../work/index.ts";
import { keepHaving, type Resolved, resolve } from "./image.ts";
import { isWorthAnother } from "./trouble.ts";
import { whyCalledOff } from "./wait.ts";

/** What bringing an image needs. */
export interface Bringing {
  engine: Engine;
  images: Pick<Images, "pull" | "used">;
  clock: Clock;
  /** Uniform in [0, 1), for pauses. */
  random: () => number;
}

/** Between two attempts, in milliseconds. */
const retryMs = { firstMs: 1_000, lastMs: 60_000 };

/**
 * Sees to it that the engine has the image of a new version, while the old one goes on, and tells which one is meant. A tag means
 * what it meant before, unless the registry is to be asked; one that cannot be reached has no say where the image is there.
 * @throws {Failure} as a pull. What may pass is waited for.
 */
export async function bring(
  room: Bringing,
  wish: Wish,
  { spec, pull }: { spec: RuntimeSpec; pull: boolean },
  ask: Pick<Ask, "signal" | "progress">,
): Promise<Resolved> {
  const isSame = fullReference(spec.image) === fullReference(wish.spec.image) && wish.imageId !== "";
  const isAsked = pull && !spec.image.includes("@");
  const hands = { ...room, ...ask, waiting: ask.signal };
  for (let failures = 0; ; failures++) {
    try {
      if (isSame && !isAsked) return await keepHaving(hands, wish);
      return await resolve(hands, { name: wish.name, spec }, { isAsked });
    } catch (thrown) {
      const trouble = asFailure(thrown);
      if (ask.signal.aborted) throw whyCalledOff(asFailure(ask.signal.reason), undefined);
      if (!isWorthAnother(thrown, failures)) throw thrown;
      ask.progress(`trying again: ${trouble.message}`);
      await room.clock
        .sleep(backoffMs(failures + 1, { ...retryMs, random: room.random }), ask.signal)
        .catch(() => {
          throw whyCalledOff(asFailure(ask.signal.reason), trouble);
        });
    }
  }
}
