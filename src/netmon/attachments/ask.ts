import type { Attachment } from "../../../gen/edge/v1/netmon_pb.ts";
import { type Vnic, VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import {
  createIpvlan,
  findMac,
  type MacvlanMode,
  type Place,
  probeAddress,
  probeOnParent,
  removeLink,
} from "../namespaces/index.ts";
import { ensureVlan, modeFor, recordNic } from "../parents/index.ts";
import type { Interface } from "../picture/index.ts";
import { macsInside } from "./left.ts";
import { findParent, lanSide } from "./parent.ts";
import { ipv4Of } from "./plan-ipv4.ts";
import { conflictOf } from "./probe.ts";
import type { Known } from "./situation.ts";
import { knownOf, type Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";

type Asking = Pick<Tools, "picture" | "clock" | "random">;

/**
 * Asks the LAN, before an attachment is kept, whether another machine has a MAC or an address of it; all vNICs side by side.
 * Returns the addresses that are free, by vNIC. Where nobody can be asked now (the parent is not there, or has no carrier) it is
 * asked before use.
 * @throws {Failure} conflict: naming the other machine. unsupported: it cannot be had upon this parent.
 */
export async function askLan(
  attachment: Attachment,
  before: Tended | undefined,
  tools: Asking,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const left = before ? undefined : await macsInside(attachment.containerId, signal);
  const free = await Promise.all(
    attachment.vnics.map(async (vnic): Promise<[string, string] | undefined> => {
      if (left?.has(vnic.mac)) return undefined;
      const host = await askFor(questionOf(vnic, before, tools), tools, signal);
      return host === undefined ? undefined : [vnic.name, host];
    }),
  );
  return new Map(free.filter((one) => one !== undefined));
}

/** What a vNIC must not collide with on its LAN. */
interface Question {
  readonly vnic: Vnic;
  readonly known: Known;
  /** Whether its MAC is that of the vNIC that is kept, and need not be asked for again. */
  readonly hasItsMac: boolean;
  /** Where its link is already: from elsewhere, it would itself be the one who answers. */
  readonly link: { place: Place; device: string } | undefined;
}

function questionOf(vnic: Vnic, before: Tended | undefined, { picture, clock }: Asking): Question {
  const tended = before?.vnics.get(vnic.name);
  const old = before?.attachment.vnics.find(({ name }) => name === vnic.name);
  const hasItsMac = old?.mac === vnic.mac;
  const hasLink = hasItsMac && (before?.told.get(vnic.name)?.link ?? "") !== "";
  return {
    ...{ vnic, hasItsMac, known: tended ? knownOf(tended, clock.elapsed()) : {} },
    link: hasLink && before?.netns ? lanSide(vnic, picture(), before.netns.place) : undefined,
  };
}

/** The address that is free, when one was asked for. */
async function askFor(
  { vnic, known, hasItsMac, link }: Question,
  tools: Asking,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { picture, clock } = tools;
  const parent = findParent(vnic, picture());
  if (!parent) return undefined;
  if (vnic.vlanId !== 0) {
    await ensureVlan({ parent: parent.name, vlanId: vnic.vlanId }, signal);
    return undefined;
  }
  if (vnic.mode === VnicMode.DEDICATED) {
    await recordNic({ nic: parent.name, usedBy: [], now: clock.now() }, signal);
    return undefined;
  }
  if (!parent.carrier) return undefined;
  const mode = modeFor(vnic.mode, parent);
  if (mode === VnicMode.IPVLAN_L2) await tryIpvlan(parent.name, tools, signal);
  const ipv4 = ipv4Of(vnic, { parent, known, picture: picture(), now: clock.now() });
  if (ipv4.is === "impossible") throw failure("conflict", `${vnic.name}: ${ipv4.reason}`);
  try {
    if (!hasItsMac && mode in trialModes) {
      const other = await findMac({ parent: parent.name, mac: vnic.mac, clock, signal });
      const sentence = `${vnic.mac} of ${vnic.name} is already the MAC of ${other}: choose another one`;
      if (other) throw failure("conflict", sentence);
    }
    if (ipv4.is !== "offer" || !ipv4.needsProbe) return undefined;
    const { address } = ipv4.offer;
    const [host = ""] = address.split("/");
    const mac = await whoHas(address, { vnic, parent, mode, link }, signal);
    if (mac) throw failure("conflict", `${vnic.name}: ${conflictOf(host, mac).reason}`);
    return host;
  } catch (thrown) {
    signal.throwIfAborted();
    if (isOfTheMoment(asFailure(thrown))) return undefined;
    throw thrown;
  }
}

/** Asked by the vNIC's link when it is there, else by one of its MAC for this moment; of a proxied vNIC, by the parent. */
async function whoHas(
  address: string,
  { vnic, parent, mode, link }: { vnic: Vnic; parent: Interface; mode: VnicMode; link: Question["link"] },
  signal: AbortSignal,
): Promise<string | undefined> {
  const trialMode = trialModes[mode];
  if (!link && trialMode) {
    return await probeOnParent({ parent: parent.name, mac: vnic.mac, mode: trialMode, address, signal });
  }
  const asker = link ?? { place: {}, device: parent.name };
  return await probeAddress({ ...asker, address, signal });
}

/** Makes one for a moment: only the kernel knows whether it can. @throws {Failure} unsupported, conflict. */
async function tryIpvlan(parent: string, { random }: Asking, signal: AbortSignal): Promise<void> {
  const name = `try-${Math.floor(random() * 1e9)}`;
  await createIpvlan({ place: {}, parent, name, signal });
  await removeLink({}, name, signal);
}

/** The parent lost its carrier or went since the picture was taken. */
function isOfTheMoment({ kind }: Failure): boolean {
  return kind === "unavailable" || kind === "not_found";
}

const trialModes: Readonly<Partial<Record<VnicMode, MacvlanMode>>> = {
  [VnicMode.MACVLAN_BRIDGE]: "bridge",
  [VnicMode.MACVLAN_PRIVATE]: "private",
  [VnicMode.MACVLAN_VEPA]: "vepa",
};
