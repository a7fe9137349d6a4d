import type { GetSealingKeyResponse } from "../../../gen/edge/v1/credentials_pb.ts";
import type { GetNodeResponse } from "../../../gen/edge/v1/node_pb.ts";
import type { Answer } from "./answer.ts";

/** Kinds of links that vNICs are made of. */
export const linkKinds = ["veth", "macvlan", "vlan", "ipvlan"] as const;
export type LinkKind = (typeof linkKinds)[number];

/** Programs that netmon calls, and the Debian package of each. Those of busybox are applets. */
export const programs = {
  ip: "iproute2",
  nsenter: "util-linux",
  iptables: "iptables",
  nft: "nftables",
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

/** What the engine says of itself. */
export interface EngineFacts {
  storageDriver: string;
  cgroupVersion: string;
  cgroupDriver: string;
  hasMemoryLimit: boolean;
  liveRestore: boolean;
  /** What of it confines agents: words for what is missing. */
  missingForAgents: string[];
  /** Names of the programs that can make containers, as `oci:NAME` means them. */
  runtimes: string[];
  /** Whether a memory limit counts swap, too. */
  limitsSwap: boolean;
  /** Whether a system call that is refused to an agent is an event. */
  tellsCalls: boolean;
  rootDir: string;
}

/** The room of a file system. */
export interface Room {
  path: string;
  freeBytes: number;
  totalBytes: number;
}

/** One step on the way to the hub: what was seen, and whether the way goes on. */
export interface HubStep {
  isWell: boolean;
  says: string;
}
export const hubSteps = ["dns", "tcp", "tls", "identity"] as const;
export type HubStepName = (typeof hubSteps)[number];

/** A disk that may tell how worn it is: shares of its life in tenths as the kernel has them, 1 for up to 10 percent. */
export interface Flash {
  name: string;
  kind: string;
  lifeTime: number | undefined;
  /** 1 normal, 2 warning, 3 urgent. */
  preEndOfLife: number | undefined;
}

/** What is known of a machine: all that the doctor judges by, and nothing that it concludes. */
export interface Facts {
  cliVersion: string;
  nowMs: number;
  engine: Answer<{ version: string; host: string }>;
  engineInfo: Answer<EngineFacts>;
  engineDisk: Answer<Room>;
  /** Objects on the engine that carry our labels, and belong to no runtime of this daemon. */
  leftovers: Answer<string[]>;
  daemon: Answer<Pick<GetNodeResponse, "daemonVersion" | "connected" | "hubAddress">>;
  /** Copies of state that could not be read, by path. */
  setAside: Answer<string[]>;
  /** Undefined before enrolment. */
  certificate: Answer<{ fromMs: number | undefined; untilMs: number } | undefined>;
  vault: Answer<Pick<GetSealingKeyResponse, "keySource" | "thumbprint" | "lendingProblem">>;
  /** Where the kernel may put memory that is not used: also what is lent, unless its file system forbids it. */
  swap: Answer<string[]>;
  /** Providers of language models, and what is wrong with the way to each; undefined when nobody asked. */
  providers: Answer<{ url: string; problem: string }[]> | undefined;
  netmon: Answer<{ where: string; version: string; parents: Parent[] }>;
  /** Undefined where no process of that name is seen. */
  netmonRights: Answer<{ pid: number; missing: string[] } | undefined>;
  missingPrograms: ProgramName[];
  /** For each kind of link, undefined when it could be made, else what the kernel said. */
  links: Answer<Record<LinkKind, string | undefined>>;
  /** How the packet filter treats what passes through: its policy, and the rules that throw all away. */
  filter: Answer<{ policy: string; refusing: string[] }>;
  filterKinds: Answer<{ used: string; other: string[] }>;
  isForwarding: Answer<boolean>;
  /** How far the hub's clock is ahead, when the daemon knows a hub. */
  hubOffsetMs: number | undefined;
  timeSync: Answer<{ isSynchronized: boolean; services: string[] }>;
  memory: Answer<{ availableBytes: number; totalBytes: number }>;
  disk: Answer<Room>;
  flash: Answer<Flash[]>;
  logs: Answer<{ path: string; bytes: number }>;
  serial: Answer<{ ports: { path: string; isUsable: boolean }[]; grabbers: string[] }>;
  /** Capabilities that no program of this machine can have. */
  missingCapabilities: Answer<string[]>;
  kernel: Answer<{ release: string; preemption: string }>;
  limits: Answer<{ rtprio: number; memlock: number; mayRaise: boolean; rtRuntimeUs: number }>;
  /** The governors in use; none where the kernel does not change the clock of CPUs. */
  governors: Answer<string[]>;
  /** `cpus` as the kernel writes them, as in `2-3`; empty for none. */
  isolated: Answer<{ cpus: string; pinned: string[] }>;
  /** The proxy for the hub, without its password; undefined for none. */
  proxy: Answer<string | undefined>;
  /** Undefined when this node has no hub, or nothing may leave the machine. */
  hub: { address: string; steps: Record<HubStepName, Answer<HubStep>> } | undefined;
  /** The name of the hypervisor's product; empty for one without a name, undefined on bare metal. */
  hypervisor: string | undefined;
  /** The parent that the person named, and what trying it showed. */
  parent: { name: string; tried: Answer<Tried> } | undefined;
}
