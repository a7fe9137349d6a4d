import { VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { asFailure } from "../../base/failure.ts";
import {
  createIpvlan,
  createMacvlan,
  keepAddressesApart,
  type MacvlanMode,
  type Netns,
  observe,
  removeLink,
  setLinkUp,
} from "../namespaces/index.ts";
import { ensureProxyLink, ensureVlan, giveBackNic, recordNic, returnNic, takeNic } from "../parents/index.ts";
import type { Step } from "./situation.ts";
import type { Tended, TendedVnic } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** What a step is done with. */
export interface Bench {
  readonly tools: Tools;
  readonly tended: Tended;
  readonly netns: Netns;
  readonly signal: AbortSignal;
}

type Of<Do extends Step["do"]> = Extract<Step, { do: Do }>;

/** Sees to the sub-interface of a VLAN, upon which the link is then made. */
export async function makeVlan(step: Of<"makeVlan">, vnic: TendedVnic, { signal }: Bench): Promise<void> {
  const name = await ensureVlan({ parent: step.parent, vlanId: step.vlanId }, signal);
  const index = (await observe({}, signal)).links.find((link) => link.name === name)?.index;
  if (index !== undefined) vnic.upon = { name, index };
}

/** Makes a link where it should be, down. */
export async function makeLink(step: Of<"makeLink">, vnic: TendedVnic, bench: Bench): Promise<void> {
  const { vnic: name, parent, mode, mac } = step;
  const { netns, tended, signal } = bench;
  const { place } = netns;
  try {
    if (mode === VnicMode.PROXY_ARP) {
      const { owner } = tended.attachment;
      await ensureProxyLink({ owner, vnic: name, mac, place: { netns: netns.path } }, signal);
    } else if (mode === VnicMode.IPVLAN_L2) await createIpvlan({ place, parent, name, signal });
    else await createMacvlan({ place, parent, name, mac, mode: macvlanModes[mode] ?? "bridge", signal });
    forgetLink(vnic);
    await keepAddressesApart(place, name, signal);
  } catch (thrown) {
    // A VLAN sub-interface that somebody removed is made again.
    vnic.upon = undefined;
    throw thrown;
  }
}

const macvlanModes: Readonly<Partial<Record<VnicMode, MacvlanMode>>> = {
  [VnicMode.MACVLAN_PRIVATE]: "private",
  [VnicMode.MACVLAN_VEPA]: "vepa",
};

/** How long the last holder of a MAC may take to go, in milliseconds: the kernel takes down the links of a dead container late. */
const macFreeMs = { between: 100, tries: 20 };

/** Sets a link up. */
export async function raiseLink(name: string, { netns: { place }, tools, signal }: Bench): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await setLinkUp(place, name, signal);
    } catch (thrown) {
      if (asFailure(thrown).kind !== "conflict" || tries >= macFreeMs.tries) throw thrown;
      await tools.clock.sleep(macFreeMs.between, signal);
    }
  }
}

/** Takes a vNIC's link away: a whole NIC comes back as it was, any other is gone. */
export async function takeLinkAway(name: string, vnic: TendedVnic | undefined, bench: Bench): Promise<void> {
  const { netns, tended, tools, signal } = bench;
  forgetLink(vnic);
  if (!vnic?.nic) return await removeLink(netns.place, name, signal);
  const dedicated = { recorded: vnic.nic, place: { netns: netns.path }, name };
  if (await giveBackNic(dedicated, tools.clock.now(), signal)) forgetNic(name, vnic, tended, tools);
}

/** Moves a whole NIC into the container. What must come back with it is on disk before. */
export async function takeWholeNic(step: Of<"takeNic">, vnic: TendedVnic, bench: Bench): Promise<void> {
  const { netns, tended, tools, signal } = bench;
  if (!vnic.nic) {
    const recorded = await recordNic({ nic: step.nic, usedBy: [], now: tools.clock.now() }, signal);
    tools.store.keepNic(tended.attachment.owner, step.vnic, recorded);
    vnic.nic = recorded;
  }
  await takeNic({ recorded: vnic.nic, place: { netns: netns.path }, name: step.vnic }, signal);
  forgetLink(vnic);
  await keepAddressesApart(netns.place, step.vnic, signal);
}

/** Makes NICs as they were that the kernel gave back by itself, because a container ended while nobody looked. */
export async function returnNics(tended: Tended, tools: Tools, signal: AbortSignal): Promise<void> {
  for (const [name, vnic] of tended.vnics) {
    const isBack = vnic.nic && (await returnNic(vnic.nic, tools.clock.now(), signal));
    if (isBack) forgetNic(name, vnic, tended, tools);
  }
}

function forgetNic(name: string, vnic: TendedVnic, { attachment }: Tended, { store }: Tools): void {
  store.keepNic(attachment.owner, name, undefined);
  vnic.nic = undefined;
}

/** What was so of a link is not so of the next one of its name. */
function forgetLink(vnic: TendedVnic | undefined): void {
  if (!vnic) return;
  vnic.probing?.stop.abort();
  vnic.probing = undefined;
  vnic.ipv6 = undefined;
  vnic.slaacSince = undefined;
  vnic.isConfirmed = false;
}
