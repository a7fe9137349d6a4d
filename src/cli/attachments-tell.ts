import { DevicePhase } from "../../gen/edge/v1/devices_pb.ts";
import type { AttachmentEvent, AttachmentStatus } from "../../gen/edge/v1/netmon_pb.ts";
import { VnicPhase } from "../../gen/edge/v1/vnics_pb.ts";
import { ago, moment, word } from "./answer.ts";
import { deviceChangeInWords } from "./device-tell.ts";
import { printable, rows } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { vnicChangeInWords } from "./vnic-change-tell.ts";

/** What netmon keeps attached, a line for each vNIC; then the devices, where there are any. */
export function tableOfAttachments(
  attachments: readonly AttachmentStatus[],
  terminal: Terminal,
  now: number,
): string {
  const devices = attachments.some((one) => one.devices.length > 0)
    ? tableOfDevices(attachments, terminal)
    : "";
  return tableOfVnics(attachments, terminal, now) + devices;
}

function tableOfDevices(attachments: readonly AttachmentStatus[], terminal: Terminal): string {
  return rows(
    terminal,
    ["OWNER", "DEVICE", "PHASE", "INSIDE", "IS", "NUMBER", "REASON"],
    attachments.flatMap(({ owner, devices }) =>
      devices.map(({ nodePath, phase, path, realPath, number, reason }) => [
        ...[shortOwner(owner), nodePath, word(DevicePhase, phase), path, realPath, number, reason],
      ]),
    ),
    "no devices are attached",
  );
}

function tableOfVnics(attachments: readonly AttachmentStatus[], terminal: Terminal, now: number): string {
  return rows(
    terminal,
    ["OWNER", "VNIC", "PHASE", "PARENT", "MAC", "ADDRESSES", "GATEWAY", "DEFAULT", "SINCE", "REASON"],
    attachments.flatMap(({ owner, vnics }) =>
      vnics.map((one) => [
        ...[
          shortOwner(owner),
          one.name,
          word(VnicPhase, one.phase),
          one.parent,
          one.mac,
          one.addresses.join(", "),
        ],
        ...[one.gateway, one.hasDefaultRoute ? "yes" : "no", ago(one.since, now), one.reason],
      ]),
    ),
    "no vNICs are attached",
  );
}

/** An owner is `<the daemon's instance>/<runtime>`, and a node has one daemon. */
function shortOwner(owner: string): string {
  return owner.replace(/^([^/]{8})[^/]+\//, "$1/");
}

/** What happened to an attachment, on a line. */
export function attachmentEventLine({ at, change, device, reason, requestId }: AttachmentEvent): string {
  const what = change ? vnicChangeInWords(change) : device ? deviceChangeInWords(device) : "";
  if (what === "") return "";
  const by = requestId === "" ? "" : ` (${requestId})`;
  const why = reason === "" ? "" : `: ${reason}`;
  return `${moment(at)}  ${printable(`${what}${why}${by}`)}\n`;
}
