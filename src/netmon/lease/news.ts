import { type DhcpLease, differences } from "./lease.ts";

/** What becomes of a lease. `reason` is a sentence for people, without its full stop. */
export type LeaseNews =
  /** There was none, and now there is. */
  | { kind: "bound"; lease: DhcpLease; reason: string }
  /** It is as it was, but for its times and perhaps who gave it. */
  | { kind: "renewed"; lease: DhcpLease; reason: string }
  /** Something of it differs from what it was. */
  | { kind: "changed"; lease: DhcpLease; before: DhcpLease; reason: string }
  /** It must no longer be used. */
  | { kind: "lost"; before: DhcpLease; reason: string }
  /** No server answers. Said once until one does; a lease that there is goes on until it ends. */
  | { kind: "silent"; reason: string };

/** What is known of the lease of one link. */
export interface Known {
  readonly lease?: DhcpLease;
  /** The server refused the lease: it ends in a moment, unless there is an answer before. */
  readonly isRefused?: boolean;
  /** It was said that nobody answers. */
  readonly isSilent?: boolean;
  /** Why it is asked anew, until there is an answer. */
  readonly why?: string;
}

export type Happening =
  | { kind: "given"; lease: DhcpLease }
  | { kind: "refused" }
  | { kind: "unanswered" }
  | { kind: "ended" };

export interface Learnt {
  readonly known: Known;
  readonly news?: LeaseNews;
}

/** What is known after something happened, and what is to be told of it. */
export function learn(known: Known, happening: Happening): Learnt {
  switch (happening.kind) {
    case "given":
      return given(known, happening.lease);
    case "refused":
      return { known: { ...known, ...(known.lease && { isRefused: true }) } };
    case "unanswered":
      return unanswered(known);
    case "ended":
      return ended(known);
  }
}

function given({ lease: before, why }: Known, lease: DhcpLease): Learnt {
  const from = lease.server || "a server that does not say its address";
  if (!before) return { known: { lease }, news: { kind: "bound", lease, reason: `${from} gave it` } };
  const isSameAddress = before.address === lease.address;
  const now = isSameAddress ? { ...lease, boundAt: before.boundAt } : lease;
  const different = differences(before, now);
  if (different.length === 0) {
    return { known: { lease: now }, news: { kind: "renewed", lease: now, reason: `${from} confirmed it` } };
  }
  const asked = why === undefined ? "" : `, asked because ${why}`;
  const reason = `${from} gave ${different.join(", ")}${asked}`;
  return { known: { lease: now }, news: { kind: "changed", lease: now, before, reason } };
}

function unanswered(known: Known): Learnt {
  if (known.isSilent) return { known };
  const until = known.lease
    ? `; its last lease ends at ${new Date(known.lease.expiresAt).toISOString()}`
    : "";
  const reason = `no DHCP server answers, and it is asked again every few seconds${until}`;
  return { known: { ...known, isSilent: true }, news: { kind: "silent", reason } };
}

function ended({ lease: before, isRefused, ...known }: Known): Learnt {
  if (!before) return { known };
  const reason = isRefused
    ? "the DHCP server took it back, and gave no other at once"
    : "it ran out, and no DHCP server renewed it";
  return { known, news: { kind: "lost", before, reason } };
}
