import { VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { asFailure } from "../../base/failure.ts";
import {
  addAddress,
  announce,
  createIpvlan,
  createMacvlan,
  type MacvlanMode,
  type Netns,
  observe,
  removeAddress,
  removeLink,
  removeRoute,
  replaceRoute,
  setIpv6,
  setLinkUp,
  writeNameServers,
} from "../namespaces/index.ts";
import { ensureVlan } from "../parents/index.ts";
import { startClient, stopClient } from "./clients.ts";
import { nameServersKey } from "./plan-routes.ts";
import { probe } from "./probe.ts";
import type { Route, Step } from "./situation.ts";
import { lifeOf, type Tended, type TendedVnic } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** What a step is done with. */
export interface Bench {
  readonly tools: Tools;
  readonly tended: Tended;
  readonly netns: Netns;
  readonly signal: AbortSignal;
}

/** Does one step. @throws {Failure} as what it does: the kernel, a program or the LAN refused it. */
export async function apply(step: Step, bench: Bench): Promise<void> {
  const { tools, tended, netns, signal } = bench;
  const { place } = netns;
  const name = step.vnic;
  const vnic = tended.vnics.get(name);
  switch (step.do) {
    case "makeVlan": {
      const upon = await ensureVlan({ parent: step.parent, vlanId: step.vlanId }, signal);
      const index = (await observe({}, signal)).links.find((link) => link.name === upon)?.index;
      if (vnic && index !== undefined) vnic.upon = { name: upon, index };
      return;
    }
    case "makeLink":
      return await makeLink(step, bench, vnic);
    case "removeLink":
      forgetLink(vnic);
      return await removeLink(place, name, signal);
    case "setIpv6":
      await setIpv6(place, name, step.use, signal);
      if (vnic) vnic.ipv6 = step.use;
      return;
    case "raiseLink":
      return await raiseLink(name, bench);
    case "startClient": {
      const wish = tended.attachment.vnics.find((one) => one.name === name);
      return vnic && wish && startClient({ wish, vnic, tended, tools }, place);
    }
    case "stopClient":
      return vnic && (await stopClient(vnic));
    case "probe":
      return vnic && probe(name, vnic, step.address, bench);
    case "addAddress": {
      const { address, validSeconds } = step;
      await addAddress(place, name, address, { ...(validSeconds !== undefined && { validSeconds }), signal });
      // Neighbours that knew it by another MAC would take seconds to notice.
      if (step.isNew) await announce({ place, device: name, address, signal });
      return;
    }
    case "removeAddress":
      return await removeAddress(place, name, step.address, signal);
    case "replaceRoute":
      return await replaceRoute(place, step.route, signal);
    case "removeRoute":
      if (step.isEngines) keepDisplaced(step.route, bench);
      return await removeRoute(place, step.route, signal);
    case "writeNameServers":
      await writeNameServers(netns.owner, step.servers, step.search);
      tended.nameServers = nameServersKey(step.servers, step.search);
      return;
  }
}

async function makeLink(
  { vnic: name, parent, mode, mac }: Extract<Step, { do: "makeLink" }>,
  { netns: { place }, signal }: Bench,
  vnic: TendedVnic | undefined,
): Promise<void> {
  try {
    if (mode === VnicMode.IPVLAN_L2) await createIpvlan({ place, parent, name, signal });
    else await createMacvlan({ place, parent, name, mac, mode: macvlanModes[mode] ?? "bridge", signal });
    forgetLink(vnic);
  } catch (thrown) {
    // A VLAN sub-interface that somebody removed is made again.
    if (vnic) vnic.upon = undefined;
    throw thrown;
  }
}

/** How long the last holder of a MAC may take to go, in milliseconds: the kernel takes down the links of a dead container late. */
const macFreeMs = { between: 100, tries: 20 };

async function raiseLink(name: string, { netns: { place }, tools, signal }: Bench): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await setLinkUp(place, name, signal);
    } catch (thrown) {
      if (asFailure(thrown).kind !== "conflict" || tries >= macFreeMs.tries) throw thrown;
      await tools.clock.sleep(macFreeMs.between, signal);
    }
  }
}

const macvlanModes: Readonly<Partial<Record<VnicMode, MacvlanMode>>> = {
  [VnicMode.MACVLAN_PRIVATE]: "private",
  [VnicMode.MACVLAN_VEPA]: "vepa",
};

/** What was so of a link is not so of the next one of its name. */
export function forgetLink(vnic: TendedVnic | undefined): void {
  if (!vnic) return;
  vnic.probing?.abort();
  vnic.ipv6 = undefined;
  vnic.isConfirmed = false;
}

/** Before it is removed: nobody else knows the engine's gateway. */
function keepDisplaced({ gateway, device }: Route, { tools, tended, netns }: Bench): void {
  const displaced = { life: lifeOf(netns.owner), gateway, device };
  tools.store.keepDisplaced(tended.attachment.owner, displaced);
  tended.displaced = displaced;
}
