import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { asFailure } from "../../base/failure.ts";
import { entriesOf } from "../ip/index.ts";
import { probeAddress, requireCarrier } from "./arp.ts";
import { observe } from "./inside.ts";
import { ipv6Switch } from "./ipv6.ts";
import { setLinkUp } from "./links.ts";
import { type Place, run } from "./run.ts";
import { type Settings, writeSettings } from "./settings.ts";
import { onTrial } from "./trial.ts";

interface Sought {
  readonly parent: string;
  /** In lower case with colons. */
  readonly mac: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Looks whether another station already uses a MAC that is to be a vNIC's, before there is a link with it. Who it is, to end a
 * sentence with, or undefined. A station that has neither IPv4 traffic with this node nor IPv6 stays unseen: nothing on a LAN can
 * be asked for a MAC. Takes about a second. @throws {Failure} unavailable: no carrier, so nobody can be asked. not_found: the parent.
 */
export async function findMac(sought: Sought): Promise<string | undefined> {
  await requireCarrier({}, sought.parent, sought.signal);
  return (
    (await amongOwnLinks(sought)) ??
    (await amongNeighbours(sought)) ??
    (await behindBridge(sought)) ??
    (await byIpv6(sought))
  );
}

async function amongOwnLinks({ mac, signal }: Sought): Promise<string | undefined> {
  const own = (await observe({}, signal)).links.find((link) => link.mac === mac);
  return own && `the interface ${own.name} of this node`;
}

const neighbourSchema = v.object({ dst: v.string(), lladdr: v.optional(v.string()) });

/** What the node's ARP table says may be long ago, and of ourselves on another node, so it is asked again. */
async function amongNeighbours({ parent, mac, signal }: Sought): Promise<string | undefined> {
  const said = await run({}, "ip", ["-4", "-json", "neighbour", "show", "dev", parent], { signal });
  for (const { dst, lladdr } of entriesOf(neighbourSchema, said)) {
    if (lladdr !== mac) continue;
    const answer = await probeAddress({ place: {}, device: parent, address: dst, signal });
    if (answer === mac) return `the station with the address ${dst}`;
  }
  return undefined;
}

const learnedSchema = v.object({
  mac: v.string(),
  ifname: v.string(),
  state: v.optional(v.string(), ""),
  /** Seconds since a frame of it came in. */
  updated: v.optional(v.number(), Number.POSITIVE_INFINITY),
});

/** A bridge knows whose frames came in by which port. What is older may have been ourselves on another node. */
const learnedWithinSeconds = 30;

async function behindBridge({ parent, mac, signal }: Sought): Promise<string | undefined> {
  const { links } = await observe({}, signal);
  if (links.find(({ name }) => name === parent)?.kind !== "bridge") return undefined;
  const said = await run({}, "bridge", ["-json", "-statistics", "fdb", "show", "br", parent], { signal });
  const all = entriesOf(learnedSchema, said);
  const learned = all.find(
    (one) => one.mac === mac && one.state !== "permanent" && one.updated <= learnedWithinSeconds,
  );
  return learned && `a station behind the port ${learned.ifname} of ${parent}`;
}

/**
 * Takes the IPv6 address that is made of the MAC: who has the same MAC has, as a rule, the same address, and says so. In private
 * mode, because in another one the kernel drops frames from outside that come from a MAC of its own links.
 */
async function byIpv6({ parent, mac, clock, signal }: Sought): Promise<string | undefined> {
  return await onTrial({ parent, mac, mode: "private", signal }, async (place, device) => {
    const missing = await writeSettings(place, device, askForAddress, signal);
    const isFirst = await setLinkUp(place, device, signal).then(() => true, falseAtConflict);
    if (!isFirst) return `another link upon ${parent} on this node`;
    if (missing.includes(ipv6Switch)) return undefined;
    const isTaken = await isAddressTaken(place, device, clock, signal);
    return isTaken ? "another station, which has the IPv6 address made of it" : undefined;
  });
}

function falseAtConflict(thrown: unknown): false {
  if (asFailure(thrown).kind === "conflict") return false;
  throw thrown;
}

/** One question for the address at once, half a second for the answer, which comes in milliseconds, and none for routers. */
const askForAddress: Settings = {
  "ipv6/conf/*/accept_ra": 0,
  "ipv6/conf/*/router_solicitations": 0,
  "ipv6/conf/*/router_solicitation_delay": 0,
  "ipv6/conf/*/accept_dad": 1,
  "ipv6/conf/*/dad_transmits": 1,
  "ipv6/neigh/*/retrans_time_ms": 500,
  "ipv6/conf/*/addr_gen_mode": 0,
  [ipv6Switch]: 0,
};

/** Nothing tells, so it is looked at; on a machine that is swapping, for longer. */
const [lookEveryMs, looks] = [50, 60];

async function isAddressTaken(place: Place, device: string, clock: Clock, signal: AbortSignal) {
  for (let look = 1; look <= looks; look++) {
    await clock.sleep(lookEveryMs, signal);
    const link = (await observe(place, signal)).links.find(({ name }) => name === device);
    const address = link?.addresses.find(({ family }) => family === "ipv6");
    if (address?.isDuplicate) return true;
    if (address && !address.isTentative) return false;
  }
  return false;
}
