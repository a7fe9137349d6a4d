import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Runtime, RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import {
  AddressMode,
  Ipv6Mode,
  type Lease,
  type Vnic,
  VnicPhase,
  type VnicStatus,
} from "../../gen/edge/v1/vnics_pb.ts";
import { formatDuration } from "../base/quantity.ts";
import { ago, moment, word } from "./answer.ts";
import { printable, sheet } from "./table.ts";
import { modeWord } from "./vnic-flag.ts";

/** The vNICs of a runtime in a cell of a table: the address of each that is up, and what the others are. */
export function vnicsInShort({ spec, vnics }: Runtime): string {
  const told = new Map(vnics.map((one) => [one.name, one]));
  return (spec?.vnics ?? []).map(({ name }) => `${name} ${short(told.get(name))}`).join(", ");
}

function short(status: VnicStatus | undefined): string {
  if (!status) return word(VnicPhase, VnicPhase.UNSPECIFIED);
  const [address] = status.addresses;
  return status.phase === VnicPhase.UP && address !== undefined
    ? address.replace(/\/\d+$/, "")
    : word(VnicPhase, status.phase);
}

/** Every vNIC of a runtime for people, a block each: what it is now, since when, and why. */
export function describeVnics(runtime: Runtime | undefined, now: number): string {
  const wishes = runtime?.spec?.vnics ?? [];
  if (wishes.length === 0) return `runtime ${runtime?.spec?.name} has no vNICs: it is on no LAN\n`;
  const blocks = wishes.map((wish) => {
    const status = runtime?.vnics.find(({ name }) => name === wish.name);
    return sheet([["vnic", wish.name], ["wish", wishOf(wish)], ...statusPairs(status, now)]);
  });
  return blocks.join("\n");
}

function statusPairs(status: VnicStatus | undefined, now: number): [string, string][] {
  if (!status) return [["phase", "unknown: the node says nothing of it"]];
  const owns = status.hasDefaultRoute ? "yes, it is the runtime's" : "no";
  return [
    ["phase", word(VnicPhase, status.phase)],
    ["reason", status.reason],
    ["since", status.since ? `${moment(status.since)} (${ago(status.since, now)})` : ""],
    ["parent", status.parent],
    ["mac", status.mac],
    ["addresses", status.addresses.join(", ")],
    ["gateway", status.gateway],
    ["default route", owns],
    ["name servers", status.dnsServers.join(", ")],
    ["lease", status.lease ? leaseInWords(status.lease, now) : ""],
  ];
}

function leaseInWords(lease: Lease, now: number): string {
  const leftMs = lease.expiresAt ? timestampMs(lease.expiresAt) - now : 0;
  return [
    `${lease.address} from ${lease.server} for ${formatDuration(lease.leaseSeconds * 1000)}`,
    `first given ${moment(lease.boundAt)}`,
    `confirmed ${ago(lease.renewedAt, now)} ago`,
    leftMs > 0 ? `ends in ${formatDuration(leftMs)} unless it is renewed` : "has run out",
  ].join("; ");
}

/** What is wished, in the words of `--vnic`. */
export function wishOf(vnic: Vnic): string {
  const optional = (key: string, value: string | number) => (value ? [`${key}=${value}`] : []);
  return [
    ...optional("parent", vnic.parent || vnic.parentMac),
    addressOf(vnic),
    ...optional("gateway", vnic.gateway),
    ...optional("dns", vnic.dnsServers.join("+")),
    ...optional("vlan", vnic.vlanId),
    ...optional("mode", modeWord(vnic.mode)),
    ...optional("mac", vnic.mac),
    ...optional("metric", vnic.metric),
    ...(vnic.noDefaultRoute ? ["no-default-route"] : []),
    ...optional("ipv6", vnic.ipv6Mode === Ipv6Mode.SLAAC ? "slaac" : vnic.ipv6Address),
    ...optional("ipv6-gateway", vnic.ipv6Gateway),
    ...(vnic.hostAccess ? ["host-access"] : []),
  ].join(",");
}

function addressOf({ addressMode, address, host }: Vnic): string {
  if (addressMode === AddressMode.STATIC) return `static=${address}`;
  if (addressMode === AddressMode.FOLLOW) return `follow=${host}`;
  return addressMode === AddressMode.NONE ? "none" : "dhcp";
}

/** Why each vNIC is as it is, a line each. */
export function vnicReasons({ vnics, phase }: Runtime): string[] {
  // Of a runtime that is stopped, each would say the same.
  if (phase === RuntimePhase.STOPPED) return [];
  return vnics.map((one) => {
    const is = [word(VnicPhase, one.phase), ...one.addresses].join(", ");
    const reason = one.reason === "" ? "" : `; ${one.reason}`;
    return printable(`vNIC ${one.name}: ${is}${reason}`);
  });
}
