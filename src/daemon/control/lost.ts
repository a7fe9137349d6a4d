import { asFailure, Failure, failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";

/** The word of a failure over a connection that stood, and broke before the hub could speak. */
export const brokenOnTheWay = "way";
/** The word of a failure over a stream that the hub itself has ended. */
export const saidByHub = "hub";

/** The failure behind what broke a stream or kept it from being opened. */
export function lostBecause(thrown: unknown): Failure {
  if (thrown instanceof Failure || !(thrown instanceof Error) || systemCode(thrown) === "")
    return asFailure(thrown);
  return failure("unavailable", `the line to the hub broke: ${thrown.message}`, { cause: thrown });
}
