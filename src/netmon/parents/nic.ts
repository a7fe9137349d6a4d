import { failure } from "../../base/failure.ts";
import { moveLink, type Place, renameLink, setLinkDown, setLinkUp, setMac } from "../namespaces/index.ts";
import { type Link, links } from "./links.ts";
import type { RecordedNic } from "./nic-record.ts";
import { carryOut, type Step } from "./steps.ts";

export interface DedicatedNic {
  readonly recorded: RecordedNic;
  /** The container's network namespace. It must be held open: a NIC that is left in one that ends comes back bare, or never. */
  readonly place: Place;
  /** The vNIC's name, which the NIC has in the container. */
  readonly name: string;
}

/**
 * Moves a whole NIC into a container, where it is up and bare, under the vNIC's name. What `recordNic` said must be on disk. Doing
 * it again mends what was cut off.
 * @throws {Failure} not_found: it is in neither place. conflict: the container has another link of that name.
 */
export async function takeNic(nic: DedicatedNic, signal: AbortSignal): Promise<void> {
  const { recorded, place, name } = nic;
  const there = await links(place, signal);
  const inside = find(recorded, there);
  // Looked at before, because a move to a name that is taken moves it all the same, down and under its old name.
  const other = there.find((one) => one.name === name && one !== inside);
  if (other) throw failure("conflict", `the container has another link called ${name}: rename the vNIC`);
  if (!inside) {
    const here = find(recorded, await links({}, signal));
    if (!here) throw failure("not_found", `the NIC ${recorded.name} (${recorded.permanentMac}) is not here`);
    await moveLink({ from: {}, name: here.name, to: place, newName: name, signal });
  } else if (inside.name !== name) {
    await setLinkDown(place, inside.name, signal);
    await renameLink(place, inside.name, name, signal);
  }
  if (!inside?.isUp || inside.name !== name) await setLinkUp(place, name, signal);
}

/**
 * Moves a NIC back out of a container, which may have ended, and makes it as it was: `returnNic`. When its old name is taken by
 * now, it keeps another. Doing it again mends what was cut off; false when it is in neither place.
 */
export async function giveBackNic(
  { recorded, place, name }: DedicatedNic,
  now: number,
  signal: AbortSignal,
): Promise<boolean> {
  const [inside, here] = await Promise.all([links(place, signal), links({}, signal)]);
  // A cable has no MAC that is permanent, and is still known by the name that we gave it.
  const nic = find(recorded, inside) ?? inside.find((one) => one.name === name && isNic(one));
  if (!nic) return await returnNic(recorded, now, signal);
  const newName = nameFor(recorded, here);
  await moveLink({ from: place, name: nic.name, to: {}, newName, signal });
  if (nic.mac !== recorded.mac) await setMac({}, newName, recorded.mac, signal);
  return await returnNic(recorded, now, signal);
}

/**
 * Makes a NIC that is on the node again as it was: name, MAC, MTU, addresses, routes, up or down. False when it is not there. Also
 * for one that the kernel gave back by itself, because the container ended while nobody held its namespace: bare, down, and under
 * whatever name was free.
 */
export async function returnNic(recorded: RecordedNic, now: number, signal: AbortSignal): Promise<boolean> {
  const all = await links({}, signal);
  const nic = find(recorded, all);
  if (nic) await carryOut(planReturn(recorded, nic, all, now), signal);
  return nic !== undefined;
}

export function planReturn(recorded: RecordedNic, nic: Link, all: readonly Link[], now: number): Step[] {
  const name = nic.name === recorded.name ? nic.name : nameFor(recorded, all);
  const [isRenamed, isReMaced] = [nic.name !== name, nic.mac !== recorded.mac];
  const mustBeDown = isRenamed || isReMaced || !recorded.isUp;
  const missing = recorded.addresses.filter(({ address, validUntil = Number.POSITIVE_INFINITY }) => {
    return validUntil > now && nic.addresses.every((one) => one.address !== address);
  });
  return [
    ...(nic.isUp && mustBeDown ? [`ip link set dev ${nic.name} down`] : []),
    ...(isRenamed ? [`ip link set dev ${nic.name} name ${name}`] : []),
    ...(isReMaced ? [`ip link set dev ${name} address ${recorded.mac}`] : []),
    ...(nic.mtu === recorded.mtu ? [] : [`ip link set dev ${name} mtu ${recorded.mtu}`]),
    ...(recorded.isUp ? [`ip link set dev ${name} up`] : []),
    ...missing.map(({ address, validUntil }) => {
      const broadcast = address.includes(":") ? "" : " broadcast +";
      const seconds = validUntil === undefined ? "forever" : Math.ceil((validUntil - now) / 1_000);
      return `ip address replace ${address}${broadcast} dev ${name} valid_lft ${seconds} preferred_lft ${seconds}`;
    }),
    ...recorded.routes.map((route) => `ip route replace ${withDevice(route, recorded.name, name)}`),
  ];
}

function find({ permanentMac }: RecordedNic, all: readonly Link[]): Link | undefined {
  return all.find((one) => one.permanentMac === permanentMac && isNic(one));
}

/** VLAN sub-interfaces, bonds and bridges have the MAC of a NIC and are none. */
function isNic({ kind, isLoopback }: Link): boolean {
  return !isLoopback && (kind === "" || kind === "veth");
}

/** Its old one, or when that is taken one by which people still find it. */
function nameFor({ name, permanentMac }: RecordedNic, all: readonly Link[]): string {
  const isTaken = all.some((one) => one.name === name && one.permanentMac !== permanentMac);
  return isTaken ? `nic${permanentMac.replaceAll(":", "")}` : name;
}

function withDevice(route: string, recorded: string, name: string): string {
  return route.replace(` dev ${recorded}`, ` dev ${name}`);
}
