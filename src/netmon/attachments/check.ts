import { create } from "@bufbuild/protobuf";
import { type Attachment, AttachRequestSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import { type Vnic, VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { failure, invalidFields } from "../../base/failure.ts";
import { wrongDevices } from "../../wire/devices.ts";
import { violationsOf } from "../../wire/validation.ts";
import { hasOwnMac, wrongVnics } from "../../wire/vnics.ts";
import { modeFor } from "../parents/index.ts";
import type { Seen } from "../picture/index.ts";
import { findParent, parentName } from "./parent.ts";

/** Checks what can be known of an attachment without asking anybody. @throws {Failure} invalid: every violation at once. */
export function checkAttachment(attachment: Attachment, requestId: string): void {
  const path = "attachment";
  const withoutMac = attachment.vnics.flatMap((vnic, index) =>
    hasOwnMac(vnic) && vnic.mac === ""
      ? [{ field: `${path}.vnics[${index}].mac`, message: "is required" }]
      : [],
  );
  const violations = [
    ...violationsOf(AttachRequestSchema, create(AttachRequestSchema, { attachment, requestId })),
    ...wrongVnics(attachment.vnics, `${path}.vnics`),
    ...withoutMac,
    ...wrongDevices(attachment.devices, `${path}.devices`),
  ];
  if (violations.length > 0) throw invalidFields(violations);
}

/**
 * Checks it against the others and against the node as it is.
 * @throws {Failure} conflict: a MAC is another vNIC's or an interface's. unsupported: the parent cannot carry such a vNIC.
 */
export function checkAgainst(attachment: Attachment, others: readonly Attachment[], picture: Seen): void {
  for (const vnic of attachment.vnics) {
    const having = others.find(
      ({ owner, vnics }) => owner !== attachment.owner && vnics.some((one) => isSameMac(one, vnic)),
    );
    if (having) {
      throw failure(
        "conflict",
        `${vnic.mac} of ${vnic.name} is already a MAC of ${having.owner}: choose another one`,
      );
    }
    const own = picture.interfaces.find(({ mac }) => mac === vnic.mac);
    if (own && hasOwnMac(vnic)) {
      throw failure(
        "conflict",
        `${vnic.mac} of ${vnic.name} is the MAC of ${own.name} on this node: choose another one`,
      );
    }
    const parent = findParent(vnic, picture);
    if (parent && vnic.mode !== VnicMode.DEDICATED) modeFor(vnic.mode, parent);
    const holder = others.find(
      ({ owner, vnics }) => owner !== attachment.owner && vnics.some((one) => isTaken(one, vnic)),
    );
    if (holder) {
      throw failure(
        "conflict",
        `${parentName(vnic)} is used by ${holder.owner}, and a dedicated NIC carries nothing else`,
      );
    }
  }
}

/** Whether two vNICs name one parent, and one of them wants it for itself. */
function isTaken(one: Vnic, other: Vnic): boolean {
  const isSame = parentName(one) === parentName(other);
  return isSame && (one.mode === VnicMode.DEDICATED || other.mode === VnicMode.DEDICATED);
}

function isSameMac(one: Vnic, other: Vnic): boolean {
  return one.mac !== "" && one.mac === other.mac;
}
