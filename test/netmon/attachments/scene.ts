/** Situations for the plan: a node with one parent, a container, and a vNIC, each with what a test changes of it. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AddressMode, type Vnic, VnicSchema } from "../../../gen/edge/v1/vnics_pb.ts";
import { plan } from "../../../src/netmon/attachments/plan.ts";
import type { Known, Situation } from "../../../src/netmon/attachments/situation.ts";
import type { DhcpLease } from "../../../src/netmon/lease/index.ts";
import type { Inside, InsideLink } from "../../../src/netmon/namespaces/index.ts";
import type { Interface } from "../../../src/netmon/picture/index.ts";

type VnicInit = Exclude<MessageInitShape<typeof VnicSchema>, { $typeName: string }>;

type InsideRoute = Inside["routes"][number];

export const mac = "02:77:00:00:00:50";
export const now = 1_000_000;

export function wish(init: VnicInit = {}): Vnic {
  return create(VnicSchema, { name: "lan0", parent: "eth1", mac, addressMode: AddressMode.DHCP, ...init });
}

export const fixed = (init: VnicInit = {}) =>
  wish({ addressMode: AddressMode.STATIC, address: "10.0.0.50/24", gateway: "10.0.0.1", ...init });

export const follow = (host: number, init: VnicInit = {}) =>
  wish({ addressMode: AddressMode.FOLLOW, host, ...init });

export function parent(init: Partial<Interface> = {}): Interface {
  return {
    ...{ name: "eth1", index: 7, mac: "00:1b:21:00:00:01", kind: "physical", mtu: 1500, operstate: "up" },
    ...{ carrier: true, speedMbps: 1000, addresses: ["10.0.0.2/24"], subnets: ["10.0.0.0/24"] },
    ...{ gateways: ["10.0.0.1"], routes: [] },
    ...init,
  };
}

/** A link that is right, with these IPv4 addresses. */
export function link(addresses: readonly string[] = [], init: Partial<InsideLink> = {}): InsideLink {
  return {
    ...{
      name: "lan0",
      index: 3,
      mac,
      kind: "macvlan",
      mode: "bridge",
      mtu: 1500,
      isUp: true,
      hasCarrier: true,
    },
    ...{ parentIndex: 7, alias: "" },
    addresses: addresses.map((address) => ({
      ...{ address, family: "ipv4", isLinkLocal: false, isTentative: false, isDuplicate: false },
    })),
    ...init,
  };
}

export function route(device: string, gateway: string, init: Partial<InsideRoute> = {}): InsideRoute {
  return { destination: "0.0.0.0/0", gateway, device, metric: 100, protocol: "boot", ...init };
}

export function lease(init: Partial<DhcpLease> = {}): DhcpLease {
  return {
    ...{
      address: "10.0.0.120/24",
      gateways: ["10.0.0.1"],
      dnsServers: ["10.0.0.53"],
      domain: "plant.example",
    },
    ...{ server: "10.0.0.1", leaseSeconds: 600, boundAt: 0, renewedAt: 0, expiresAt: now + 600_000 },
    ...{ routes: [], mtu: 0 },
    ...init,
  };
}

export interface Scene {
  vnics?: readonly Vnic[];
  parents?: readonly Interface[];
  dnsServers?: readonly string[];
  /** Undefined: the container does not run. */
  links?: readonly InsideLink[] | undefined;
  routes?: readonly InsideRoute[];
  known?: Record<string, Known>;
  more?: Partial<Situation>;
}

/** Plans, and says the steps in short. A vNIC's IPv6 is set already, and its DHCP client runs. */
export function planned(scene: Scene) {
  const {
    vnics = [wish()],
    parents = [parent()],
    dnsServers = [],
    routes = [],
    known = {},
    more = {},
  } = scene;
  const links = "links" in scene ? scene.links : [link()];
  const usual = (vnic: Vnic): Known => ({ ipv6: "none", hasClient: vnic.addressMode === AddressMode.DHCP });
  const { steps, standings } = plan({
    vnics,
    picture: { interfaces: parents, dnsServers },
    inside: links && { links, routes },
    known: new Map(vnics.map((vnic) => [vnic.name, { ...usual(vnic), ...known[vnic.name] }])),
    ...{ gone: [], hasFiles: true, nameServers: "", absence: "", displaced: undefined, now },
    ...more,
  });
  const said = steps.map((step) => {
    const { do: what, vnic, reason, ...rest } = step;
    const values = Object.values(rest).map((value) =>
      typeof value === "object" ? routeText(value) : String(value),
    );
    return [what, vnic, ...values].filter(Boolean).join(" ");
  });
  const [first] = standings;
  if (!first) throw new Error("a scene has a vNIC");
  return { steps: said, standings, first, reasons: steps.map(({ reason }) => reason) };
}

function routeText(value: object): string {
  if (Array.isArray(value)) return value.join(",");
  const { destination, gateway, device, metric } = value as InsideRoute; // A step's only other object.
  return `${destination} via ${gateway} ${device} ${metric}`;
}
