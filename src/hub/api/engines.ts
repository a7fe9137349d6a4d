import type { Clock } from "../../base/clock.ts";
import type { Failure } from "../../base/failure.ts";
import type { HealthBoard } from "../../wire/health.ts";

/** What the hub stands on, each with why it does not work now. Their names are those of `grpc.health.v1`. */
export interface Engines {
  readonly store: { readonly problem: Failure | undefined };
  readonly bus: { readonly problem: Failure | undefined };
}

/** The names that health knows them by. */
export const engineNames = ["store", "bus"] as const;

const lookEveryMs = 1_000;

/**
 * Keeps health as the engines are, until the signal is aborted. Without its store the hub as a whole does not serve; without the
 * bus it does, and is slower.
 */
export async function followEngines(
  board: HealthBoard,
  engines: Engines,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    for (const name of engineNames) board.set(name, engines[name].problem === undefined);
    board.set("", engines.store.problem === undefined);
    await clock.sleep(lookEveryMs, signal).catch(() => {});
  }
}
