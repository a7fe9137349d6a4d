import { type VnicChange, VnicChangeKind } from "../../gen/edge/v1/vnics_pb.ts";

/** What happened to a vNIC, as the rest of a sentence that begins with its name. */
const happened: Readonly<Record<VnicChangeKind, (change: VnicChange) => string>> = {
  [VnicChangeKind.UNSPECIFIED]: () => "changed in a way that this version does not know: update orchestrator",
  [VnicChangeKind.ATTACHED]: ({ parent, address }) => `attached to ${parent}${withAddress(address)}`,
  [VnicChangeKind.DETACHED]: ({ parent }) => `detached from ${parent}`,
  [VnicChangeKind.READDRESSED]: (change) => `readdressed${fromTo(change)}`,
  [VnicChangeKind.LEASE_BOUND]: ({ address }) => `lease bound: ${address}`,
  [VnicChangeKind.LEASE_RENEWED]: ({ address }) => `lease renewed: ${address}`,
  [VnicChangeKind.LEASE_CHANGED]: (change) => `lease changed${fromTo(change)}`,
  [VnicChangeKind.LEASE_LOST]: ({ previousAddress, address }) => `lease lost: ${previousAddress || address}`,
  [VnicChangeKind.LEASE_RELEASED]: ({ previousAddress, address }) =>
    `lease given back: ${previousAddress || address}`,
  [VnicChangeKind.PARENT_LOST]: ({ parent }) => `lost its parent ${parent}`,
  [VnicChangeKind.PARENT_BACK]: ({ parent, address }) =>
    `has its parent ${parent} back${withAddress(address)}`,
  [VnicChangeKind.CONFLICT]: ({ otherMac, address }) => `conflict with ${otherMac}${withAddress(address)}`,
  [VnicChangeKind.FAILED]: () => "failed",
  [VnicChangeKind.DEFAULT_ROUTE]: ({ address }) => `has the default route now${withAddress(address)}`,
};

/** What happened to a vNIC, in words. */
export function vnicChangeInWords(change: VnicChange): string {
  const tell = happened[change.kind] ?? happened[VnicChangeKind.UNSPECIFIED];
  return `vNIC ${change.runtime}/${change.vnic} ${tell(change)}`;
}

function withAddress(address: string): string {
  return address === "" ? "" : `, ${address}`;
}

function fromTo({ address, previousAddress }: VnicChange): string {
  return previousAddress === "" ? ` to ${address}` : ` from ${previousAddress} to ${address || "none"}`;
}
