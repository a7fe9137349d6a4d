import type { MessageInitShape } from "@bufbuild/protobuf";
import { AddressMode, VnicMode, type VnicSchema } from "../../../gen/edge/v1/vnics_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { below, keysOf, type Refuse, textOf } from "./compose-values.ts";

type VnicInit = Exclude<MessageInitShape<typeof VnicSchema>, { $typeName: string }>;

/** A network of the LAN: what a vNIC on it has in common with others. */
interface LanNetwork {
  vnic: VnicInit;
  /** The bits of its subnet; undefined when the file says none. */
  prefix: string | undefined;
  gateway: string;
}

const modes: Readonly<Record<string, VnicMode>> = {
  "macvlan bridge": VnicMode.MACVLAN_BRIDGE,
  "macvlan private": VnicMode.MACVLAN_PRIVATE,
  "macvlan vepa": VnicMode.MACVLAN_VEPA,
  "ipvlan l2": VnicMode.IPVLAN_L2,
};

/** The networks that a file declares: those of the drivers macvlan and ipvlan are vNICs here; others there are none. */
export function declaredNetworks(value: unknown, refuse: Refuse): Map<string, LanNetwork | undefined> {
  const found = new Map<string, LanNetwork | undefined>([["default", undefined]]);
  if (value === undefined || value === null) return found;
  if (!(value instanceof Map)) {
    refuse(`is ${evidence(value)}; names are needed`);
    return found;
  }
  for (const [key, one] of value) {
    const name = String(key);
    found.set(name, lanNetwork(name, one ?? new Map(), below(refuse, name)));
  }
  return found;
}

function lanNetwork(name: string, value: unknown, refuse: Refuse): LanNetwork | undefined {
  const { driver, driver_opts, ipam } = keysOf(value, ["driver", "driver_opts", "ipam"], refuse);
  const [kind, usual] = driver === "ipvlan" ? ["ipvlan", "l2"] : ["macvlan", "bridge"];
  if (driver !== kind) {
    const isUsual = name === "default" && (driver === undefined || driver === "bridge");
    const says = driver === undefined ? "is a bridge" : `has the driver ${evidence(driver)}`;
    return isUsual
      ? undefined
      : refuse(`${says}, and runtimes share none: macvlan and ipvlan are taken, as vNICs on the LAN`);
  }
  const mode = `${kind}_mode`;
  const options = driver_opts ?? new Map();
  const given = keysOf(options, ["parent", mode], below(refuse, "driver_opts"));
  const vnicMode = modes[`${kind} ${textOf(given[mode]) ?? usual}`];
  if (vnicMode === undefined) refuse(`${evidence(given[mode])} is not taken`, "driver_opts", mode);
  const [parent = "", vlan = "0"] = (textOf(given.parent) ?? "").split(".");
  if (parent === "") return refuse("needs driver_opts with a parent, as in parent: eth0");
  const at = below(refuse, "ipam");
  const { config } = ipam === undefined ? {} : keysOf(ipam, ["config", "driver"], at);
  const first = Array.isArray(config) ? (config[0] as unknown) : undefined;
  if (Array.isArray(config) && config.length > 1)
    at("has more than one subnet: describe it as kind: Runtime with vnics", "config");
  const { subnet, gateway } =
    first === undefined ? {} : keysOf(first, ["subnet", "gateway"], below(at, "config", 0));
  return {
    vnic: {
      name: vnicName(name),
      parent,
      vlanId: Number(vlan) || 0,
      ...(vnicMode !== undefined && { mode: vnicMode }),
    },
    prefix: /\/(\d+)$/.exec(textOf(subnet) ?? "")?.[1],
    gateway: textOf(gateway) ?? "",
  };
}

/** The name of an interface in the runtime, from that of a network. */
function vnicName(network: string): string {
  return network
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-")
    .slice(0, 15);
}

/** `networks` of a service as vNICs. With an address it is kept; without one the LAN's DHCP server gives it. */
export function vnicsFrom(
  value: unknown,
  networks: ReadonlyMap<string, LanNetwork | undefined>,
  refuse: Refuse,
): VnicInit[] {
  const joined: [string, unknown, Refuse][] =
    value instanceof Map
      ? [...value].map(([name, one]) => [String(name), one ?? new Map(), below(refuse, String(name))])
      : Array.isArray(value)
        ? value.map((name, index) => [String(name), new Map(), below(refuse, index)])
        : [];
  if (!(value instanceof Map) && !Array.isArray(value)) refuse(`is ${evidence(value)}; names are needed`);
  return joined.flatMap(([name, one, at]): VnicInit[] => {
    if (!networks.has(name)) at(`${evidence(name)} is not among the networks of the file: add it there`);
    const network = networks.get(name);
    if (!network) return []; // What is wrong with it is said where it is declared.
    const known = ["ipv4_address", "mac_address", "interface_name"] as const;
    const { ipv4_address, mac_address, interface_name } = keysOf(one, known, at);
    const address = textOf(ipv4_address);
    if (address !== undefined && network.prefix === undefined) {
      at(`needs a subnet: say ipam.config.subnet at network ${name}`, "ipv4_address");
    }
    const isStatic = address !== undefined;
    return [
      {
        ...network.vnic,
        ...(interface_name !== undefined && { name: textOf(interface_name) ?? "" }),
        ...(mac_address !== undefined && { mac: (textOf(mac_address) ?? "").toLowerCase() }),
        addressMode: isStatic ? AddressMode.STATIC : AddressMode.DHCP,
        ...(isStatic && { address: `${address}/${network.prefix ?? ""}`, gateway: network.gateway }),
      },
    ];
  });
}
