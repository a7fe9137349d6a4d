import { asFailure, Failure } from "../../base/failure.ts";

/** Why netmon did not plug vNICs in. */
export class Unplugged extends Failure {
  constructor(cause: unknown) {
    const { kind, message, violations } = asFailure(cause);
    super(kind, message, { cause, violations });
  }

  /** Whether it may pass by itself: netmon does not answer now. */
  get isPassing(): boolean {
    return this.kind === "unavailable";
  }
}
