import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { asFailure } from "../../base/failure.ts";
import { probeAddress, requireCarrier } from "./arp.ts";
import { observe } from "./inside.ts";
import { writeSettings } from "./ipv6.ts";
import { setLinkUp } from "./links.ts";
import { type Place, run } from "./run.ts";
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
 * be asked for a MAC. Takes 1 to 3 s. @throws {Failure} unavailable: no carrier, so nobody can be asked. not_found: the parent.
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

const neighboursSchema = v.array(v.object({ dst: v.string(), lladdr: v.optional(v.string()) }));

/** What the node's ARP table says may be long ago, and of ourselves on another node, so it is asked again. */
async function amongNeighbours({ parent, mac, signal }: Sought): Promise<string | undefined> {
  const said = await run({}, "ip", ["-4", "-json", "neighbour", "show", "dev", parent], { signal });
  for (const { dst, lladdr } of v.parse(neighboursSchema, JSON.parse(said.trim() || "[]"))) {
    if (lladdr !== mac) continue;
    const answer = await probeAddress({ place: {}, device: parent, address: dst, signal });
    if (answer === mac) return `the station with the address ${dst}`;
  }
  return undefined;
}

const learnedSchema = v.array(
  v.object({
    mac: v.string(),
    ifname: v.string(),
    state: v.optional(v.string(), ""),
    /** Seconds since a frame of it came in. */
    updated: v.optional(v.number(), Number.POSITIVE_INFINITY),
  }),
);

/** A bridge knows whose frames came in by which port. What is older may have been ourselves on another node. */
const learnedWithinSeconds = 30;

async function behindBridge({ parent, mac, signal }: Sought): Promise<string | undefined> {
  const { links } = await observe({}, signal);
  if (links.find(({ name }) => name === parent)?.kind !== "bridge") return undefined;
  const said = await run({}, "bridge", ["-json", "-statistics", "fdb", "show", "br", parent], { signal });
  const all = v.parse(learnedSchema, JSON.parse(said.trim() || "[]"));
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
  try {
    return await onTrial({ parent, mac, mode: "private", signal }, async (place, device) => {
      await writeSettings(place, device, silentButForAddress, signal);
      await setLinkUp(place, device, signal);
      const isTaken = await isAddressTaken(place, device, clock, signal);
      return isTaken ? "another station, which has the IPv6 address made of it" : undefined;
    });
  } catch (thrown) {
    const { kind } = asFailure(thrown);
    if (kind === "unsupported") return undefined;
    if (kind === "conflict") return `another link upon ${parent} on this node`;
    throw thrown;
  }
}

/** One question for the address at once, and none for routers. */
const silentButForAddress = {
  ...{ accept_ra: 0, router_solicitations: 0, router_solicitation_delay: 0, dad_transmits: 1, accept_dad: 1 },
  ...{ addr_gen_mode: 0, disable_ipv6: 0 },
};

/** The kernel asks once, and waits a second for objections. */
const [lookEveryMs, looks] = [100, 30];

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
