import { type Reject, RejectCode, type Renewal, RenewalSchema } from "../../../gen/edge/v1/control_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { violationsOf } from "../../wire/validation.ts";
import type { Fleet, Outcast } from "../fleet/index.ts";
import { type Admission, reject, rejectOutcast, rejectRemoved } from "./admission.ts";
import type { Visitor } from "./door.ts";
import type { Turnstile } from "./pace.ts";
import { rejectExpired, type Standing, standingOf } from "./renewal.ts";

export interface GateOptions {
  fleet: Fleet;
  clock: Clock;
  log: Logger;
  turnstile: Turnstile;
  /** How long after its end a certificate may still be renewed, in milliseconds. */
  renewalGraceMs: number;
  /** How long nodes shall stay away, in milliseconds, when the hub is about to stop. */
  awayMs: () => number | undefined;
  /** Aborted when it is: nobody waits for a turn any more. */
  stopping: AbortSignal;
}

/** Decides who comes in; of two streams that race, as the store has it. */
export class Gate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Whether a first frame that can be served is, when it is its turn. @throws {Failure} as `Presence.claim`. */
  async admit(visitor: Visitor, admitted: Admission): Promise<Admission> {
    if ("reject" in admitted) return admitted;
    const { fleet, log } = this.#options;
    // A node that was away for long is told of its removal whatever became of its certificate.
    const refused = (await this.#turn()) ?? this.#removed(visitor) ?? this.expired(visitor);
    if (refused) {
      // Nothing that the node could do brings it back: somebody has to know.
      if (refused.code === RejectCode.EXPIRED && !refused.retryable)
        fleet.warn(visitor.nodeId, refused.message);
      return { reject: refused };
    }
    const { sessionEpoch, instanceId, hostName, daemonVersion } = admitted.hello;
    const { nodeId, certificateSerial, certificateIssuedAt, certificateExpiresAt, socket } = visitor;
    const certificate = { certificateSerial, certificateIssuedAt, certificateExpiresAt };
    const address = socket.remoteAddress ?? "";
    const claim = {
      epoch: Number(sessionEpoch),
      instanceId,
      hostName,
      daemonVersion,
      address,
      ...certificate,
    };
    const outcast = await fleet.presence.claim(nodeId, claim);
    if (!outcast) return admitted;
    log.warn({ node: nodeId, outcast, from: socket.remoteAddress }, "node refused");
    return { reject: this.#outcast(outcast, nodeId) };
  }

  /** Why a visitor that has said nothing else may not have its next certificate; undefined when it may. */
  refusal(visitor: Visitor, renewal: Renewal): Reject | undefined {
    const { nodeId, certificateIssuedAt } = visitor;
    const [violation] = violationsOf(RenewalSchema, renewal);
    if (violation) return reject(RejectCode.BAD_HELLO, `${violation.field} ${violation.message}`);
    const busy = this.#busy();
    if (busy) return busy;
    const outcast = this.#options.fleet.mayRenew(nodeId, certificateIssuedAt);
    if (outcast) return this.#outcast(outcast, nodeId);
    const standing = this.#standing(visitor);
    return standing === "expired" ? rejectExpired(visitor, standing) : undefined;
  }

  /** What to tell a visitor whose certificate has expired; undefined when it has not. */
  expired(visitor: Visitor): Reject | undefined {
    const standing = this.#standing(visitor);
    return standing === "good" ? undefined : rejectExpired(visitor, standing);
  }

  /** What a node is told that is let in no longer. */
  farewell(nodeId: string): Reject {
    return this.#outcast(this.#options.fleet.isRevoked(nodeId) ? "revoked" : "removed", nodeId);
  }

  #removed({ nodeId }: Visitor): Reject | undefined {
    const { fleet, log } = this.#options;
    const removal = fleet.removalOf(nodeId);
    if (!removal) return undefined;
    log.warn({ node: nodeId, outcast: "removed" }, "node refused");
    return rejectRemoved(nodeId, removal);
  }

  #outcast(outcast: Outcast, nodeId: string): Reject {
    if (outcast !== "removed") return rejectOutcast(outcast, nodeId);
    return rejectRemoved(nodeId, this.#options.fleet.removalOf(nodeId));
  }

  #standing({ certificateExpiresAt }: Visitor): Standing {
    const { renewalGraceMs, clock } = this.#options;
    return standingOf(certificateExpiresAt, renewalGraceMs, clock.now());
  }

  /** Waits for the turn of a stream; why it may not come in when that is too long, or the hub goes. */
  async #turn(): Promise<Reject | undefined> {
    const { clock, stopping, turnstile } = this.#options;
    const turn = turnstile.enter(clock.elapsed());
    if ("retryAfterMs" in turn) return this.#leaving() ?? busy(turn.retryAfterMs);
    if (turn.waitMs > 0) await clock.sleep(turn.waitMs, stopping).catch(() => {});
    return this.#leaving();
  }

  /** The same for who can come back as well as wait. */
  #busy(): Reject | undefined {
    const turn = this.#options.turnstile.enter(this.#options.clock.elapsed());
    const retryAfterMs = "retryAfterMs" in turn ? turn.retryAfterMs : turn.waitMs;
    return this.#leaving() ?? (retryAfterMs === 0 ? undefined : busy(Math.ceil(retryAfterMs)));
  }

  #leaving(): Reject | undefined {
    const away = this.#options.awayMs();
    return away === undefined ? undefined : aboutToStop(away);
  }
}

function busy(retryAfterMs: number): Reject {
  return reject(RejectCode.BUSY, "many nodes connect at once: come back later", retryAfterMs);
}

/** What a node is told that comes when the hub goes. */
export function aboutToStop(retryAfterMs: number): Reject {
  return reject(RejectCode.BUSY, "this hub is about to stop: come back later", retryAfterMs);
}
