import { isDeepStrictEqual } from "node:util";
import type { InterfaceKind } from "../wire/interfaces.ts";

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
  readonly gateways: readonly string[];
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

/** The picture after another look: the same one when nothing is different. */
export function nextPicture(before: Picture | undefined, seen: Seen, now: number): Picture {
  if (before && isDeepStrictEqual(seenOf(before), seenOf(seen))) return before;
  return { ...seenOf(seen), generation: (before?.generation ?? 0) + 1, takenAt: now };
}

/** Names of the interfaces that differ, came or went, in order; all of them when there was no picture before. */
export function changedInterfaces(before: Picture | undefined, after: Picture): string[] {
  const [old, now] = [byName(before), byName(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  return names.filter((name) => !isDeepStrictEqual(old.get(name), now.get(name)));
}

function seenOf({ interfaces, dnsServers }: Seen): Seen {
  return { interfaces, dnsServers };
}

function byName(picture: Picture | undefined): Map<string, Interface> {
  return new Map(picture?.interfaces.map((one) => [one.name, one]));
}
