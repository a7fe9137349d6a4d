import { createHash } from "node:crypto";
import type { Vnic } from "../../../gen/edge/v1/vnics_pb.ts";
import { hasOwnMac } from "../../wire/vnics.ts";

/** Which vNIC of which runtime of which daemon. */
export interface VnicPlace {
  instanceId: string;
  runtime: string;
  vnic: Pick<Vnic, "name" | "mac" | "mode">;
}

/**
 * The MAC address of a vNIC; empty when it has its parent's or its own. One that is not chosen is a hash of whose it is: so it
 * is the same for life, for a later runtime of the same name, too, and nobody has to remember it. Of its 48 bits two say that it
 * is one station's and locally administered, the other 46 are the hash's.
 */
export function macOf({ instanceId, runtime, vnic }: VnicPlace): string {
  if (!hasOwnMac(vnic)) return "";
  if (vnic.mac !== "") return vnic.mac;
  const hash = createHash("sha256").update(`${instanceId}/${runtime}/${vnic.name}`).digest();
  const [first = 0, ...rest] = hash.subarray(0, 6);
  return [(first & 0xfc) | 0x02, ...rest].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
