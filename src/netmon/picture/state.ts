import { isDeepStrictEqual } from "node:util";
import type { InterfaceKind } from "../../wire/interfaces.ts";
import type { Route } from "./routes.ts";

/** An interface as netmon tells it; see `edge.v1.NetworkInterface` for what each field means. */
export interface Interface {
  readonly name: string;
  readonly index: number;
  readonly mac: string;
  readonly kind: InterfaceKind;
  readonly mtu: number;
  readonly operstate: string;
  readonly carrier: boolean;
  readonly speedMbps: number;
  readonly addresses: readonly string[];
  readonly subnets: readonly string[];
  readonly gateways: readonly string[];
  readonly routes: readonly Route[];
}

/** What one look at the network saw. */
export interface Seen {
  /** Ordered by name. */
  readonly interfaces: readonly Interface[];
  readonly dnsServers: readonly string[];
}

/** The network at one moment. Nobody changes it: a change makes the next one. */
export interface Picture extends Seen {
  readonly generation: number;
  /** Wall time in milliseconds. */
  readonly takenAt: number;
}

/** What makes one picture out of another. */
export interface Difference {
  /** Those that came or are different, ordered by name. */
  readonly interfaces: readonly Interface[];
  /** Names of those that went. */
  readonly removed: readonly string[];
  /** When they are different. */
  readonly dnsServers?: readonly string[];
}

/** The picture after another look: the same one when nothing is different. */
export function nextPicture(before: Picture | undefined, seen: Seen, now: number): Picture {
  const { interfaces, dnsServers } = seen;
  if (before) {
    const isSame = isDeepStrictEqual([before.interfaces, before.dnsServers], [interfaces, dnsServers]);
    if (isSame) return before;
  }
  return { interfaces, dnsServers, generation: (before?.generation ?? 0) + 1, takenAt: now };
}

/** What is different; everything, when there was no picture before. */
export function differenceOf(before: Seen | undefined, after: Seen): Difference {
  const [old, now] = [byName(before), byName(after)];
  const isDnsSame = isDeepStrictEqual(before?.dnsServers, after.dnsServers);
  return {
    interfaces: after.interfaces.filter((one) => !isDeepStrictEqual(old.get(one.name), one)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    ...(!isDnsSame && { dnsServers: after.dnsServers }),
  };
}

export function byName(seen: Seen | undefined): Map<string, Interface> {
  return new Map(seen?.interfaces.map((one) => [one.name, one]));
}
