/** What a node says of itself when it connects, with what its certificate says. */
export interface NodeHello {
  /** Higher at each attempt of the node to connect. */
  epoch: number;
  /** Random at each start of the daemon. */
  instanceId: string;
  hostName: string;
  daemonVersion: string;
  certificateSerial: string;
  /** Milliseconds since 1970. */
  certificateIssuedAt: number;
  /** Milliseconds since 1970. */
  certificateExpiresAt: number;
}

/** Why a node may not come in. */
export type Outcast = "unknown" | "removed" | "replaced" | "stale" | "cloned";

/**
 * Whether a certificate was replaced: one that was issued later has been used. By time, and not by serial number, so that a
 * hub which was put back from a copy takes the certificates that it does not remember having issued.
 */
export function isReplaced(newestIssuedAt: number, issuedAt: number): boolean {
  return issuedAt < newestIssuedAt;
}

/**
 * Whether a claim to be a node is the newest one. The same epoch from the same instance is the node's own second try: the
 * later stream is served. The same epoch from another instance means that two machines hold one identity.
 */
export function fence(
  seen: { epoch: number; instanceId: string },
  claim: { epoch: number; instanceId: string },
): "newest" | "stale" | "cloned" {
  if (claim.epoch > seen.epoch) return "newest";
  if (claim.epoch < seen.epoch) return "stale";
  return claim.instanceId === seen.instanceId ? "newest" : "cloned";
}
