import { ConnectError } from "@connectrpc/connect";
import { FailureSchema } from "../../gen/edge/v1/failure_pb.ts";
import type { Clock } from "../base/clock.ts";
import { failure } from "../base/failure.ts";
import { fromConnectError } from "../wire/failures.ts";

/** How long a lost hub is waited for, in milliseconds, and how often it is tried. */
const [totalMs, pauseMs] = [60_000, 1000];

/** Waiting for a hub that was there and is gone. */
export interface Patience {
  /** It is there. */
  renew(): void;
  /**
   * Waits a moment, until it may be asked again; no longer than the signal lets it.
   * @throws {Failure} unavailable, with this sentence: it was gone for too long.
   */
  wait(sentence: string, signal: AbortSignal): Promise<void>;
}

/** `tell` is called with a sentence each time that it is waited for. */
export function patience(clock: Clock, tell: (sentence: string) => void): Patience {
  let lostAt: number | undefined;
  return {
    renew() {
      lostAt = undefined;
    },
    async wait(sentence, signal) {
      lostAt ??= clock.elapsed();
      if (clock.elapsed() - lostAt > totalMs) throw failure("unavailable", sentence);
      tell("the hub is gone, waiting for it ...");
      await clock.sleep(pauseMs, signal).catch(() => {});
    },
  };
}

/** Whether trying again may help: the hub said that it goes, or the connection broke on the way. */
export function isLoss(thrown: unknown): boolean {
  return fromConnectError(thrown).kind === "unavailable" || isCutOff(thrown);
}

/**
 * Whether the connection broke on the way, so that the hub may have heard what was asked. The transport calls one that was cut
 * `cancelled`, and some of its errors `internal`; those have a cause, and what the hub itself says has none.
 */
export function isCutOff(thrown: unknown): boolean {
  const { cause } = fromConnectError(thrown);
  return (
    cause instanceof ConnectError &&
    cause.findDetails(FailureSchema).length === 0 &&
    isCut.test(cause.message)
  );
}

const isCut = /closed|reset|premature|session|RST_STREAM|CANCEL|socket/i;
