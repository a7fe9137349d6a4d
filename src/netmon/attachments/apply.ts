import {
  addAddress,
  announce,
  removeAddress,
  removeRoute,
  replaceRoute,
  setIpv6,
  writeNameServers,
} from "../namespaces/index.ts";
import { startClient, stopClient } from "./clients.ts";
import { type Bench, makeLink, makeVlan, raiseLink, takeLinkAway, takeWholeNic } from "./links.ts";
import { lanSide } from "./parent.ts";
import { nameServersKey } from "./plan-routes.ts";
import { probe } from "./probe.ts";
import type { Route, Step } from "./situation.ts";
import { lifeOf } from "./tended.ts";

/** Does one step. @throws {Failure} as what it does: the kernel, a program or the LAN refused it. */
export async function apply(step: Step, bench: Bench): Promise<void> {
  const { tools, tended, netns, signal } = bench;
  const { place } = netns;
  const name = step.vnic;
  const vnic = tended.vnics.get(name);
  const wish = tended.attachment.vnics.find((one) => one.name === name);
  switch (step.do) {
    case "removeLink":
      return await takeLinkAway(name, vnic, bench);
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
  if (!vnic || !wish) return; // Only links and routes can be left of a vNIC that is not wanted.
  const onLan = lanSide(wish, tools.picture(), place);
  switch (step.do) {
    case "makeVlan":
      return await makeVlan(step, vnic, bench);
    case "makeLink":
      return await makeLink(step, vnic, bench);
    case "takeNic":
      return await takeWholeNic(step, vnic, bench);
    case "raiseLink":
      return await raiseLink(name, bench);
    case "setIpv6":
      await setIpv6(place, name, step.use, signal);
      vnic.ipv6 = step.use;
      return;
    case "startClient":
      return startClient({ wish, vnic, tended, tools }, onLan);
    case "stopClient":
      return await stopClient(vnic);
    case "probe":
      return probe(vnic, { ...onLan, address: step.address }, bench);
    case "addAddress":
      return await add(step, onLan, bench);
    case "removeAddress":
      return await removeAddress(place, name, step.address, signal);
  }
}

/** Puts an address on and, when it is new there, tells the LAN: neighbours that knew it by another MAC would take seconds. */
async function add(
  { vnic: name, address, validSeconds, isNew }: Extract<Step, { do: "addAddress" }>,
  onLan: ReturnType<typeof lanSide>,
  { tools, netns: { place }, signal }: Bench,
): Promise<void> {
  await addAddress(place, name, address, { ...(validSeconds !== undefined && { validSeconds }), signal });
  if (!isNew) return;
  await announce({ ...onLan, address, signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    tools.log.warn({ vnic: name, address, error }, "an address could not be announced");
  });
}

/** Before it is removed: nobody else knows the engine's gateway. */
function keepDisplaced({ gateway, device }: Route, { tools, tended, netns }: Bench): void {
  const displaced = { life: lifeOf(netns.owner), gateway, device };
  tools.store.keepDisplaced(tended.attachment.owner, displaced);
  tended.displaced = displaced;
}
