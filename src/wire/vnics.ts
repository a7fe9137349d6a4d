import { AddressMode, Ipv6Mode, type Vnic, VnicMode } from "../../gen/edge/v1/vnics_pb.ts";
import { evidence } from "../base/evidence.ts";
import type { FieldViolation } from "../base/failure.ts";
import { wrongIpv4, wrongIpv6 } from "./vnic-addresses.ts";

/**
 * What the rules of the contract cannot say of the vNICs of one runtime: what goes with what. Every violation at once; `path`
 * is where they stand, as in `spec.vnics`. A field that breaks a rule of its own is left to that rule.
 */
export function wrongVnics(vnics: readonly Vnic[], path: string): FieldViolation[] {
  const each = vnics.flatMap((vnic, index) => wrongVnic(vnic, `${path}[${index}]`));
  return [...each, ...wrongTogether(vnics, path)];
}

/** Whether a vNIC has a MAC address that is given to it. An IPVLAN link has its parent's, a dedicated NIC its own. */
export function hasOwnMac({ mode }: Pick<Vnic, "mode">): boolean {
  return mode !== VnicMode.IPVLAN_L2 && mode !== VnicMode.DEDICATED;
}

function wrongVnic(vnic: Vnic, at: string): FieldViolation[] {
  const found: FieldViolation[] = [];
  const wrong = (field: string, message: string) => void found.push({ field: `${at}.${field}`, message });
  if (vnic.name === "lo" || /^eth[0-9]+$/.test(vnic.name)) {
    wrong("name", `${vnic.name} is kept for the engine's own networks: choose another, as in lan0`);
  }
  if (vnic.parent === "" && vnic.parentMac === "") wrong("parent", "is required, or parent_mac");
  if (vnic.parent !== "" && vnic.parentMac !== "") {
    wrong("parent_mac", "is given beside parent: name the parent in one way");
  }
  for (const [field, value, known] of [
    ["mode", vnic.mode, VnicMode],
    ["address_mode", vnic.addressMode, AddressMode],
    ["ipv6_mode", vnic.ipv6Mode, Ipv6Mode],
  ] as const) {
    // proto3 lets any number through.
    if (!Object.values<number>(known).includes(value))
      wrong(field, `${value} is not one that this program knows`);
  }
  wrongLink(vnic, wrong);
  wrongIpv4(vnic, wrong);
  wrongIpv6(vnic, wrong);
  return found;
}

function wrongLink(vnic: Vnic, wrong: (field: string, message: string) => void): void {
  const { mode, mac, parentMac, vlanId, hostAccess } = vnic;
  if (mac !== "" && !hasOwnMac(vnic)) {
    const whose =
      mode === VnicMode.DEDICATED ? "a dedicated NIC keeps its own" : "an IPVLAN link has its parent's";
    wrong("mac", `cannot be chosen: ${whose}`);
  } else if (mac === "00:00:00:00:00:00" || (mac !== "" && mac === parentMac)) {
    wrong(
      "mac",
      mac === parentMac ? "is that of its parent: choose another, or leave it out" : `${mac} is no address`,
    );
  }
  if (vlanId !== 0 && (mode === VnicMode.DEDICATED || mode === VnicMode.PROXY_ARP)) {
    wrong("vlan_id", "cannot be given with a dedicated NIC or proxy ARP");
  }
  if (hostAccess && (mode === VnicMode.DEDICATED || mode === VnicMode.MACVLAN_PRIVATE)) {
    wrong("host_access", "cannot be had with a dedicated NIC or a private MACVLAN link");
  }
}

/** MAC addresses twice, and NICs that are dedicated and something else besides. */
function wrongTogether(vnics: readonly Vnic[], path: string): FieldViolation[] {
  return vnics.flatMap((vnic, index) => {
    const found: FieldViolation[] = [];
    const sameMac = vnic.mac === "" ? -1 : vnics.findIndex(({ mac }) => mac === vnic.mac);
    if (sameMac >= 0 && sameMac < index) {
      const message = `${evidence(vnic.mac)} is already that of ${path}[${sameMac}]`;
      found.push({ field: `${path}[${index}].mac`, message });
    }
    const parent = vnic.parent === "" ? "parentMac" : "parent";
    const besides = vnics.findIndex(
      (one) => one !== vnic && one[parent] !== "" && one[parent] === vnic[parent],
    );
    if (vnic.mode === VnicMode.DEDICATED && besides >= 0) {
      const field = `${path}[${index}].${parent === "parent" ? "parent" : "parent_mac"}`;
      found.push({
        field,
        message: `is that of ${path}[${besides}] too: a dedicated NIC carries nothing else`,
      });
    }
    return found;
  });
}
