import {
  type DaemonUpdate,
  DaemonUpdateState,
  type GetDaemonUpdateResponse,
} from "../../gen/edge/v1/updates_pb.ts";
import { printable } from "./table.ts";

/** How an update of a daemon went, in one line. */
export function daemonUpdateInWords({ version, fromVersion, state, reason }: DaemonUpdate): string {
  const [to, from] = [printable(version), printable(fromVersion)];
  if (state === DaemonUpdateState.TRYING) return `daemon ${to} is on probation, in place of ${from}`;
  if (state === DaemonUpdateState.KEPT) return `daemon ${to} proved itself and runs in place of ${from}`;
  return `daemon ${to} was withdrawn, and ${from} goes on: ${printable(reason)}`;
}

/** What runs on a node, and how the last update went. */
export function describeDaemonUpdate({
  version,
  sha256,
  installedVersion,
  last,
}: GetDaemonUpdateResponse): string {
  const from = sha256 === "" ? "as it was installed" : `from the bundle ${sha256}`;
  const lines = [
    `version    ${printable(version)}, ${from}`,
    ...(sha256 === "" ? [] : [`installed  ${printable(installedVersion)}`]),
    ...(last ? [`last       ${daemonUpdateInWords(last)}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join("");
}
