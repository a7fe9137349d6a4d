import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AddressMode, Ipv6Mode, type Vnic, VnicMode, VnicSchema } from "../../gen/edge/v1/vnics_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import { nearest } from "../base/nearest.ts";

type Given = MessageInitShape<typeof VnicSchema>;

/** A word of `--vnic`. Two words that decide the same exclude one another. */
interface Word {
  decides: string;
  /** What stands behind its `=`, for people; a word without it has no `=`. */
  takes?: string;
  means(value: string): Given;
}

const modes: Readonly<Record<string, VnicMode>> = {
  bridge: VnicMode.MACVLAN_BRIDGE,
  private: VnicMode.MACVLAN_PRIVATE,
  vepa: VnicMode.MACVLAN_VEPA,
  ipvlan: VnicMode.IPVLAN_L2,
  "proxy-arp": VnicMode.PROXY_ARP,
  dedicated: VnicMode.DEDICATED,
};

/** The word of a mode; empty for the usual one. */
export function modeWord(mode: VnicMode): string {
  return Object.keys(modes).find((one) => modes[one] === mode) ?? "";
}

const fixed: Omit<Word, "decides"> = {
  takes: "192.168.1.50/24",
  means: (address) => ({ addressMode: AddressMode.STATIC, address }),
};

/** The language of `--vnic`. What a value must look like is the contract's to say, and is checked with everything else. */
const words: Readonly<Record<string, Word>> = {
  parent: { decides: "the parent", takes: "eth0 or its MAC address", means: parentOf },
  dhcp: { decides: "the address", means: () => ({ addressMode: AddressMode.DHCP }) },
  static: { decides: "the address", ...fixed },
  address: { decides: "the address", ...fixed },
  follow: {
    decides: "the address",
    takes: "50",
    means: (value) => ({ addressMode: AddressMode.FOLLOW, host: whole("follow", value) }),
  },
  none: { decides: "the address", means: () => ({ addressMode: AddressMode.NONE }) },
  gateway: { decides: "the gateway", takes: "192.168.1.1", means: (gateway) => ({ gateway }) },
  dns: {
    decides: "the name servers",
    takes: "192.168.1.1+192.168.1.2",
    means: (value) => ({ dnsServers: value.split("+") }),
  },
  vlan: { decides: "the VLAN", takes: "10", means: (value) => ({ vlanId: whole("vlan", value) }) },
  mode: { decides: "the mode", takes: Object.keys(modes).join("|"), means: modeOf },
  mac: {
    decides: "the MAC address",
    takes: "02:5f:10:aa:bb:cc",
    means: (value) => ({ mac: value.toLowerCase() }),
  },
  metric: { decides: "the metric", takes: "100", means: (value) => ({ metric: whole("metric", value) }) },
  "no-default-route": { decides: "the default route", means: () => ({ noDefaultRoute: true }) },
  ipv6: { decides: "the IPv6 address", takes: "slaac, none or fd77::50/64", means: ipv6Of },
  "ipv6-gateway": {
    decides: "the IPv6 gateway",
    takes: "fd77::1",
    means: (ipv6Gateway) => ({ ipv6Gateway }),
  },
  "host-access": { decides: "host access", means: () => ({ hostAccess: true }) },
};

/** What may stand behind the name and its comma, for the help and for completion: `parent=`, `dhcp`, ... */
export const vnicWords: readonly string[] = Object.entries(words).map(([word, { takes }]) =>
  takes === undefined ? word : `${word}=`,
);

/**
 * A vNIC as it is written on a command line: `lan0,parent=eth0,dhcp`.
 * @throws {Failure} invalid: a word that is not known (the nearest one is named), given twice, or without its value.
 */
export function parseVnic(text: string): Vnic {
  const [name = "", ...rest] = text.split(",").map((part) => part.trim());
  if (name === "" || name.includes("=") || Object.hasOwn(words, name)) {
    throw failure("invalid", "it must begin with the vNIC's name, as in lan0,parent=eth0,dhcp");
  }
  const vnic = create(VnicSchema, { name });
  const decided = new Map<string, string>();
  for (const part of rest) {
    const at = part.indexOf("=");
    const key = at < 0 ? part : part.slice(0, at);
    if (key === "") throw failure("invalid", "nothing stands between two commas");
    const word = entryOf(words, key, "a word of a vNIC", vnicWords);
    const before = decided.get(word.decides);
    if (before !== undefined) {
      const both = before === key ? `${key} is given twice` : `${before} and ${key} exclude one another`;
      throw failure("invalid", `${both}: each decides ${word.decides}`);
    }
    decided.set(word.decides, key);
    Object.assign(vnic, word.means(argumentOf(key, word, at < 0 ? undefined : part.slice(at + 1))));
  }
  return vnic;
}

/** The entry of a table. @throws {Failure} invalid, with the nearest of its keys, or all that there is. */
function entryOf<T>(
  table: Readonly<Record<string, T>>,
  key: string,
  what: string,
  all: readonly string[],
): T {
  const entry = Object.hasOwn(table, key) ? table[key] : undefined;
  if (entry !== undefined) return entry;
  const meant = nearest(key, Object.keys(table));
  const hint = meant === undefined ? `there are ${all.join(", ")}` : `did you mean ${meant}?`;
  throw failure("invalid", `${evidence(key)} is not ${what}; ${hint}`);
}

function argumentOf(key: string, { takes }: Word, value: string | undefined): string {
  if (takes === undefined && value !== undefined)
    throw failure("invalid", `${key} has no value: leave out the =`);
  if (takes !== undefined && (value === undefined || value === "")) {
    throw failure("invalid", `${key} needs a value, as in ${key}=${takes}`);
  }
  return value ?? "";
}

/** No interface's name has a colon, and every MAC address has. */
function parentOf(value: string): Given {
  return value.includes(":") ? { parentMac: value.toLowerCase() } : { parent: value };
}

function modeOf(value: string): Given {
  return { mode: entryOf(modes, value, "a mode", Object.keys(modes)) };
}

function ipv6Of(value: string): Given {
  if (value === "slaac") return { ipv6Mode: Ipv6Mode.SLAAC };
  if (value === "none") return { ipv6Mode: Ipv6Mode.NONE };
  return { ipv6Mode: Ipv6Mode.STATIC, ipv6Address: value.toLowerCase() };
}

function whole(key: string, value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw failure(
    "invalid",
    `${key} must be a whole number, as in ${key}=${words[key]?.takes}; it is ${evidence(value)}`,
  );
}

/** The explanation of `--vnic` in the help. */
export const vnicHelp = `
A vNIC is its name, then words with commas between:
  parent=eth0                   the interface of the node that it is made upon; a MAC address finds a NIC under any name
  dhcp                          a lease of the LAN's server, kept over restarts (when no other address is given)
  static=192.168.1.50/24        a fixed address, with gateway=192.168.1.1 and dns=192.168.1.1+192.168.1.2
  follow=50                     host 50 in whatever subnet the parent has
  none                          no address, for fieldbuses without IP
  mode=bridge                   ${Object.keys(modes).join(", ")}
  vlan=10                       802.1Q VLAN on the parent
  mac=02:5f:10:aa:bb:cc         instead of one that is generated and kept
  metric=50, no-default-route   the lowest metric owns the default route; or never this one
  ipv6=slaac                    or ipv6=fd77::50/64 with ipv6-gateway=fd77::1
  host-access                   lets the node itself and the vNIC talk

Examples:
  orchestrator runtime create press-1 --image plc:4 --vnic lan0,parent=eth0,dhcp
  orchestrator runtime create press-1 --image plc:4 --vnic lan0,parent=eth0,static=192.168.1.50/24,gateway=192.168.1.1 \\
    --vnic field,parent=eth1,none
  orchestrator runtime create -f press-1.yaml`;
