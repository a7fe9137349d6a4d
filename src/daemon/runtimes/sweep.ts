import type { Logger } from "../../base/log.ts";
import type { Observed } from "../engine/index.ts";
import type { Store } from "../wishes/index.ts";
import type { Hands } from "./hands.ts";
import { isLeftPlugged } from "./lan.ts";
import { planSweep } from "./plan.ts";
import { remove } from "./remove.ts";
import type { Removal } from "./step.ts";

/** Removes what was finished late, or could not be reached, of a runtime that had been ended. */
export async function sweep(
  tools: Pick<Hands, "engine" | "network" | "signal"> & { store: Store; log: Logger },
  name: string,
  observed: Observed,
): Promise<void> {
  const { network, store, engine, signal, log } = tools;
  const ended = store.lastEndOf(name);
  const hands = { engine, signal, progress: () => {} };
  for (const step of ended ? planSweep(ended, observed) : []) {
    log.info({ runtime: name, step: step.do, reason: step.reason }, "taking a step");
    const removes = remove[step.do] as (on: typeof hands, step: Removal) => Promise<void>; // The key is the step's own.
    await removes(hands, step);
  }
  if (!isLeftPlugged(network.netmon, name)) return;
  log.info({ runtime: name, step: "detach", reason: "its runtime was removed" }, "taking a step");
  await network.detach(name, ended?.commandId ?? "", signal).catch((error: unknown) => {
    signal.throwIfAborted();
    // The runtime is gone all the same: whoever deleted it has the answer. The next look tries again.
    log.warn({ runtime: name, error }, "vNICs of a runtime that is gone could not be taken away");
  });
}
