import { createHash } from "node:crypto";
import { asFailure } from "../../base/failure.ts";
import { ownAlias } from "../../wire/interfaces.ts";
import { type Link, linkNamed, links } from "./links.ts";
import { carryOut, type Step } from "./steps.ts";

/** An 802.1Q VLAN on an interface of the node. */
export interface Vlan {
  readonly parent: string;
  /** 1 to 4094. */
  readonly vlanId: number;
}

/**
 * Sees to it that the VLAN has a sub-interface on the node, and returns the name of it: the parent of vNICs in that VLAN. An
 * administrator's own one is taken as it is. While the parent is down ours stays down, and the kernel sets it up with the parent.
 * May be called for several vNICs at once.
 * @throws {Failure} not_found: the parent. unsupported: this kernel has no 802.1Q.
 */
export async function ensureVlan(vlan: Vlan, signal: AbortSignal): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const { name, steps } = planVlan(vlan, await links({}, signal));
    try {
      await carryOut(steps, signal);
      return name;
    } catch (thrown) {
      const isRace = ["conflict", "not_found"].includes(asFailure(thrown).kind);
      if (!isRace || attempt === attempts) throw thrown;
    }
  }
}

/** Two vNICs of one VLAN may want it at the same moment: who comes second finds what the first has made so far. */
const attempts = 5;

/**
 * Removes the sub-interfaces that we made and that are none of these, and returns their names. With a sub-interface the kernel
 * takes away every vNIC upon it, in whatever container: `inUse` must name all that any vNIC wants.
 */
export async function removeUnusedVlans(inUse: readonly Vlan[], signal: AbortSignal): Promise<string[]> {
  const unused = unusedVlans(inUse, await links({}, signal));
  await carryOut(
    unused.map((name) => `ip link delete dev ${name}`),
    signal,
  );
  return unused;
}

/**
 * It is made under a name that nobody else gives, and gets its usual one when it is marked: cut off in between, it is still known
 * as ours.
 */
export function planVlan(vlan: Vlan, all: readonly Link[]): { name: string; steps: Step[] } {
  const upon = linkNamed(all, vlan.parent);
  const found = all.find((one) => isVlanOf(one, upon, vlan.vlanId));
  const first = hashedName(vlan);
  if (found && found.alias !== ownAlias && found.name !== first) return { name: found.name, steps: [] };
  const name = found?.alias === ownAlias ? found.name : freeName(vlan, all);
  const steps: Step[] = [];
  if (!found) steps.push(`ip link add link ${upon.name} name ${first} type vlan id ${vlan.vlanId}`);
  if (found?.alias !== ownAlias) {
    steps.push(`ip link set dev ${first} alias ${ownAlias}`);
    if (name !== first) steps.push(`ip link set dev ${first} name ${name}`);
  }
  if (upon.isUp && !found?.isUp) steps.push(`ip link set dev ${name} up`);
  return { name, steps };
}

export function unusedVlans(inUse: readonly Vlan[], all: readonly Link[]): string[] {
  const isUsed = (link: Link) =>
    inUse.some(({ parent, vlanId }) =>
      all.some((upon) => upon.name === parent && isVlanOf(link, upon, vlanId)),
    );
  return all
    .filter((one) => one.kind === "vlan" && one.alias === ownAlias && !isUsed(one))
    .map(({ name }) => name);
}

/** `eth0.10`, as everybody writes it; a hash of that when it is longer than a name of the kernel's may be. */
export function vlanName({ parent, vlanId }: Vlan): string {
  const usual = `${parent}.${vlanId}`;
  return Buffer.byteLength(usual) <= maxNameBytes ? usual : hashedName({ parent, vlanId });
}

const maxNameBytes = 15;

function hashedName({ parent, vlanId }: Vlan): string {
  const hash = createHash("sha256").update(`${parent}.${vlanId}`).digest("hex");
  return `vlan-${hash.slice(0, 10)}`;
}

function isVlanOf({ kind, parentIndex, vlanId }: Link, upon: Link, id: number): boolean {
  return kind === "vlan" && parentIndex === upon.index && vlanId === id;
}

/** Somebody may have used the usual name for another VLAN. */
function freeName(vlan: Vlan, all: readonly Link[]): string {
  const usual = vlanName(vlan);
  return all.some(({ name }) => name === usual) ? hashedName(vlan) : usual;
}
