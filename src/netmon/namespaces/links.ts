import { asFailure } from "../../base/failure.ts";
import { ownNamespace, type Place, run } from "./run.ts";
import { writeSettings } from "./settings.ts";

export type MacvlanMode = "bridge" | "private" | "vepa";

/** A link to be made upon another one. */
interface Made {
  /** Where it comes into being, with its name. The parent is in netmon's own namespace. */
  readonly place: Place;
  readonly parent: string;
  readonly name: string;
  readonly signal: AbortSignal;
}

/**
 * Makes a MACVLAN link where it should be, in one step and down: it was never seen anywhere else, and what must be said before
 * its first packet can be said. It answers ARP for its own addresses only, so that two vNICs on one LAN are two stations.
 * @throws {Failure} not_found: the parent. conflict: the name is taken there, or the parent is a port of a bridge. Another link
 * with this MAC on the parent is a conflict only when it is set up.
 */
export async function createMacvlan(
  options: Made & { readonly mac: string; readonly mode: MacvlanMode },
): Promise<void> {
  await make(options, ["address", options.mac], ["macvlan", "mode", options.mode]);
}

/** Makes an IPVLAN link in L2 mode, as `createMacvlan` does. @throws {Failure} as there; unsupported: this kernel has none. */
export async function createIpvlan(options: Made): Promise<void> {
  await make(options, [], ["ipvlan", "mode", "l2"]);
}

async function make(
  { place, parent, name, signal }: Made,
  of: readonly string[],
  type: readonly string[],
): Promise<void> {
  const there = place.netns === undefined ? [] : ["netns", place.netns];
  const args = ["link", "add", "link", parent, "name", name, ...of, ...there, "type", ...type];
  await run({}, "ip", args, { signal, doing: `make ${name} upon ${parent}` });
  await writeSettings(place, name, stationOfItsOwn, signal);
}

/** Else any link of a machine answers for all its addresses, and what comes in by the other of two vNICs is thrown away. */
const stationOfItsOwn = {
  "ipv4/conf/*/arp_ignore": 1,
  "ipv4/conf/*/arp_announce": 2,
  "ipv4/conf/*/rp_filter": 2,
};

/** Takes a link away; one that is not there is the same success. */
export async function removeLink(place: Place, name: string, signal: AbortSignal): Promise<void> {
  await unlessGone(run(place, "ip", ["link", "delete", "dev", name], { signal, doing: `remove ${name}` }));
}

/** @throws {Failure} not_found. conflict: another link on the same parent is up with its MAC. unavailable: its parent is down. */
export async function setLinkUp(place: Place, name: string, signal: AbortSignal): Promise<void> {
  await set(place, name, ["up"], `set ${name} up`, signal);
}

export async function setLinkDown(place: Place, name: string, signal: AbortSignal): Promise<void> {
  await set(place, name, ["down"], `set ${name} down`, signal);
}

/** @throws {Failure} conflict: the name is taken. Some kernels also refuse while the link is up. */
export async function renameLink(
  place: Place,
  name: string,
  newName: string,
  signal: AbortSignal,
): Promise<void> {
  await set(place, name, ["name", newName], `rename ${name} to ${newName}`, signal);
}

/** @throws {Failure} conflict: another link on the same parent has it. */
export async function setMac(place: Place, name: string, mac: string, signal: AbortSignal): Promise<void> {
  await set(place, name, ["address", mac], `give ${name} the MAC ${mac}`, signal);
}

/**
 * Moves a link into another namespace, with its new name in one step, so that a link of its old name there is no obstacle. It
 * arrives down and without its addresses. @throws {Failure} not_found. conflict: the name is taken there.
 */
export async function moveLink(options: {
  readonly from: Place;
  readonly name: string;
  readonly to: Place;
  /** Its name there, when it gets another one. */
  readonly newName?: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { from, name, to, newName = name, signal } = options;
  const how = ["netns", to.netns ?? ownNamespace, "name", newName];
  await set(from, name, how, `move ${name} into another network namespace as ${newName}`, signal);
}

async function set(place: Place, name: string, how: readonly string[], doing: string, signal: AbortSignal) {
  await run(place, "ip", ["link", "set", "dev", name, ...how], { signal, doing });
}

/** For what should be gone: that it is already is the same success. */
export async function unlessGone(removing: Promise<unknown>): Promise<void> {
  await removing.catch((thrown: unknown) => {
    if (asFailure(thrown).kind !== "not_found") throw thrown;
  });
}
