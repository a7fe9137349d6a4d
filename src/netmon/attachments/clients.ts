import { VnicChangeKind as Kind, type Vnic, VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { asFailure } from "../../base/failure.ts";
import { LeaseClient, type LeaseNews } from "../lease/index.ts";
import type { Place } from "../namespaces/index.ts";
import { findParent, lanOf } from "./parent.ts";
import type { Tended, TendedVnic } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** Whose lease it is. */
export interface Whose {
  readonly wish: Vnic;
  readonly vnic: TendedVnic;
  readonly tended: Tended;
  readonly tools: Tools;
}

/** Starts the DHCP client of a vNIC upon its link. It goes on with the lease that is kept, if that has not run out. */
export function startClient(whose: Whose, onLan: { place: Place; device: string }): void {
  const { wish, vnic, tended, tools } = whose;
  if (vnic.client) return;
  const { clock, log, random } = tools;
  const known = vnic.lease && vnic.lease.lease.expiresAt > clock.now() ? vnic.lease.lease : undefined;
  const client = LeaseClient.start({
    ...{ ...onLan, mac: wish.mac, clock, log, random },
    hostName: tended.attachment.runtime,
    clientId: clientIdOf(tended.attachment.owner, wish),
    ...(known && { known }),
    // What it says when it has been replaced is of no interest any more.
    onNews: (news) => vnic.client === client && hear(news, whose),
  });
  vnic.client = client;
}

/** Ends the client; the lease stays. */
export async function stopClient(vnic: TendedVnic): Promise<void> {
  const { client } = vnic;
  vnic.client = undefined;
  vnic.isConfirmed = false;
  vnic.silence = undefined;
  await client?.[Symbol.asyncDispose]();
}

/** By which a server knows the vNIC: its MAC, as everybody's, or its owner's name where several have one MAC. */
export function clientIdOf(owner: string, { name, mac, mode }: Pick<Vnic, "name" | "mac" | "mode">): string {
  if (mac !== "" && mode !== VnicMode.IPVLAN_L2) return `01:${mac}`;
  return `00:${Buffer.from(`${owner}/${name}`)
    .toString("hex")
    .replace(/..(?!$)/g, "$&:")}`;
}

/** Keeps what a server said before anything is done with it. Must not throw: it is called by the client. */
function hear(news: LeaseNews, whose: Whose): void {
  const { vnic, tended, tools, wish } = whose;
  try {
    if (news.kind === "silent") vnic.silence = news.reason;
    else if (news.kind === "lost") forgetLease(whose, Kind.LEASE_LOST, news.reason);
    else keepLease(news, whose);
  } catch (thrown) {
    const { message } = asFailure(thrown);
    tools.log.error({ vnic: wish.name, error: thrown }, "news of a lease could not be kept");
    vnic.silence = `its lease could not be kept: ${message}`;
  }
  tools.wake(tended);
}

const kinds = { bound: Kind.LEASE_BOUND, renewed: Kind.LEASE_RENEWED, changed: Kind.LEASE_CHANGED } as const;

function keepLease(news: Exclude<LeaseNews, { kind: "silent" | "lost" }>, whose: Whose): void {
  const { vnic, tended, tools, wish } = whose;
  const { owner } = tended.attachment;
  const kept = { lease: news.lease, lan: lanOf(findParent(wish, tools.picture())) };
  const previous = news.kind === "changed" ? news.before.address : "";
  tools.store.atomically(() => {
    tools.store.keepLease(owner, wish.name, kept);
    record(kinds[news.kind], news.reason, whose, {
      address: kept.lease.address,
      previousAddress: previous === kept.lease.address ? "" : previous,
    });
  });
  vnic.lease = kept;
  vnic.isConfirmed = true;
  vnic.silence = undefined;
}

/** A lease that is no more, whoever ended it. */
export function forgetLease(whose: Whose, kind: Kind, reason: string): void {
  const { vnic, tended, tools, wish } = whose;
  const before = vnic.lease;
  tools.store.atomically(() => {
    tools.store.keepLease(tended.attachment.owner, wish.name, undefined);
    if (before) record(kind, reason, whose, { address: "", previousAddress: before.lease.address });
  });
  vnic.lease = undefined;
  vnic.isConfirmed = false;
}

function record(
  kind: Kind,
  reason: string,
  { wish, tended, tools }: Whose,
  addresses: { address: string; previousAddress: string },
): void {
  const { owner, runtime } = tended.attachment;
  const parent = findParent(wish, tools.picture())?.name ?? "";
  tools.events.append({
    ...{ owner, reason, requestId: tended.requestId },
    change: { runtime, vnic: wish.name, kind, parent, ...addresses },
  });
  tools.changed();
}
