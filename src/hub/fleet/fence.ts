/** What a node says of itself when it connects, with what its certificate says. */
export interface NodeHello {
  /** Higher at each attempt of the node to connect. */
  epoch: number;
  /** Random at each start of the daemon. */
  instanceId: string;
  hostName: string;
  daemonVersion: string;
  /** Where it dialled from. */
  address: string;
  certificateSerial: string;
  /** Milliseconds since 1970. */
  certificateIssuedAt: number;
  /** Milliseconds since 1970. */
  certificateExpiresAt: number;
}

/** Why a node may not come in. */
export type Outcast = "unknown" | "removed" | "revoked" | "replaced" | "stale" | "cloned";

/**
 * Whether a certificate was replaced: one that was issued later has been used. By time, and not by serial number, so that a
 * hub which was put back from a copy takes the certificates that it does not remember having issued. One that was issued in the future,
 * by a hub whose clock was ahead, replaces none.
 */
export function isReplaced(newestIssuedAt: number, issuedAt: number, now: number): boolean {
  return issuedAt < newestIssuedAt && newestIssuedAt <= now;
}

/** Who was let in last, and whether that stream is up. */
export interface Seen {
  epoch: number;
  instanceId: string;
  /** The instance before that one. */
  formerInstanceId: string;
  isHeld: boolean;
}

/**
 * Whether a claim to be a node is the newest one. The same epoch from the same instance is the node's own second try: the
 * later stream is served. The same epoch from another instance means that two machines hold one identity; so does an instance that
 * comes back after another one took over and while that is here, for a daemon that ended does not.
 */
export function fence(
  seen: Seen,
  claim: { epoch: number; instanceId: string },
): "newest" | "stale" | "cloned" {
  if (claim.epoch < seen.epoch) return "stale";
  if (claim.instanceId === seen.instanceId) return "newest";
  if (claim.epoch === seen.epoch) return "cloned";
  return claim.instanceId === seen.formerInstanceId && seen.isHeld ? "cloned" : "newest";
}
