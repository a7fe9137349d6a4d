import type { GetNodeResponse } from "../../gen/edge/v1/node_pb.ts";

/** What was asked, or the sentence that says why it has no answer. */
export type Answer<T> = { is: "known"; value: T } | { is: "unknown"; problem: string };

/** Kinds of links that vNICs are made of. */
export const linkKinds = ["veth", "macvlan", "vlan", "ipvlan"] as const;
export type LinkKind = (typeof linkKinds)[number];

/** Programs that netmon calls, and the Debian package of each. Those of busybox are applets. */
export const programs = {
  ip: "iproute2",
  nsenter: "util-linux",
  iptables: "iptables",
  "busybox udhcpc": "busybox-static",
  "busybox arping": "busybox-static",
} as const;
export type ProgramName = keyof typeof programs;

/** An interface that may be a parent, as netmon sees it. */
export interface Parent {
  name: string;
  kind: string;
  carrier: boolean;
}

/** What trying a parent showed. */
export interface Tried {
  gateway: string;
  answersOwnMac: boolean;
  answersOtherMac: boolean;
}

/** What is known of a machine: all that the doctor judges by, and nothing that it concludes. */
export interface Facts {
  engine: Answer<{ version: string; host: string }>;
  daemon: Answer<Pick<GetNodeResponse, "daemonVersion" | "connected" | "hubAddress">>;
  netmon: Answer<{ where: string; parents: Parent[] }>;
  missingPrograms: ProgramName[];
  /** For each kind of link, undefined when it could be made, else what the kernel said. */
  links: Answer<Record<LinkKind, string | undefined>>;
  nowMs: number;
  /** How far the hub's clock is ahead, when the daemon knows a hub. */
  hubOffsetMs: number | undefined;
  disk: Answer<{ path: string; freeBytes: number; totalBytes: number }>;
  /** Capabilities that no program of this machine can have. */
  missingCapabilities: string[];
  /** The name of the hypervisor's product; empty for one without a name, undefined on bare metal. */
  hypervisor: string | undefined;
  /** The parent that the person named, and what trying it showed. */
  parent: { name: string; tried: Answer<Tried> } | undefined;
}
