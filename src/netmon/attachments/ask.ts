import { type Vnic, VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import { findMac, type MacvlanMode, probeOnParent } from "../namespaces/index.ts";
import { modeFor, recordNic } from "../parents/index.ts";
import { findParent } from "./parent.ts";
import { ipv4Of } from "./plan-ipv4.ts";
import { conflictOf } from "./probe.ts";
import type { Known } from "./situation.ts";
import type { Tools } from "./tools.ts";

/** What a vNIC must not collide with on its LAN. */
export interface Question {
  readonly vnic: Vnic;
  readonly known: Known;
  /** Whether its MAC is that of the vNIC that is kept, and need not be asked for again. */
  readonly hasItsMac: boolean;
}

/**
 * Asks the LAN, before a vNIC is kept, whether another machine has its MAC or its address. Returns the address that is free, when
 * one was asked for. Where nobody can be asked now (the parent is not there, or has no carrier) it is asked later, before use.
 * @throws {Failure} conflict: naming the other machine. unsupported, invalid: it cannot be had upon this parent.
 */
export async function askLan(
  { vnic, known, hasItsMac }: Question,
  { picture, clock }: Pick<Tools, "picture" | "clock">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const parent = findParent(vnic, picture());
  if (!parent || vnic.vlanId !== 0) return undefined;
  if (vnic.mode === VnicMode.DEDICATED) {
    await recordNic({ nic: parent.name, usedBy: [], now: clock.now() }, signal);
    return undefined;
  }
  if (!parent.carrier) return undefined;
  const mode = trialModes[modeFor(vnic.mode, parent)];
  const ipv4 = ipv4Of(vnic, { parent, known, picture: picture(), now: clock.now() });
  if (ipv4.is === "impossible") throw failure("conflict", `${vnic.name}: ${ipv4.reason}`);
  if (mode === undefined) return undefined;
  try {
    if (!hasItsMac) {
      const other = await findMac({ parent: parent.name, mac: vnic.mac, clock, signal });
      if (other)
        throw failure(
          "conflict",
          `${vnic.mac} of ${vnic.name} is already the MAC of ${other}: choose another one`,
        );
    }
    if (ipv4.is !== "offer" || !ipv4.needsProbe) return undefined;
    const { address } = ipv4.offer;
    const [host = ""] = address.split("/");
    const mac = await probeOnParent({ parent: parent.name, mac: vnic.mac, mode, address, signal });
    if (mac) throw failure("conflict", `${vnic.name}: ${conflictOf(host, mac).reason}`);
    return host;
  } catch (thrown) {
    signal.throwIfAborted();
    if (isOfTheMoment(asFailure(thrown))) return undefined;
    throw thrown;
  }
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
