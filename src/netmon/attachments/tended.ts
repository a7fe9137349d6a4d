import type { Attachment } from "../../../gen/edge/v1/netmon_pb.ts";
import type { DeviceStanding, Made, ToldDevice } from "../devices/index.ts";
import type { LeaseClient } from "../lease/index.ts";
import type { Ipv6Use, Netns, Owner } from "../namespaces/index.ts";
import type { RecordedNic } from "../parents/index.ts";
import type { Interface } from "../picture/index.ts";
import type { Known, Problem, Standing } from "./situation.ts";
import type { Displaced, KeptLease, Store, Told } from "./store.ts";

/** What is remembered of one owner between rounds. What must outlive netmon is in the store too. */
export interface Tended {
  attachment: Attachment;
  /** The first process of its container, when it was last looked for; undefined while the container does not run. */
  process: Owner | undefined;
  /** Why its process cannot be entered although there is one; else empty. */
  absence: string;
  /** Its network namespace, open for as long as links of ours may be in it. */
  netns: Netns | undefined;
  readonly vnics: Map<string, TendedVnic>;
  /** As the last round found and left them, in the order of the attachment. */
  standings: readonly Standing[];
  /** What was told last; what differs from it, happened. */
  told: Map<string, Told>;
  /** Whether the container has files of its own by now. */
  hasFiles: boolean;
  /** The name servers that were written in this life of the container. */
  nameServers: string;
  displaced: Displaced | undefined;
  readonly devices: TendedDevices;
  /** The request whose wish is being made so, now or when the container starts: its events carry it. */
  requestId: string;
  /** Rounds that were asked for, counted, and the count that the last finished one answered. */
  asked: number;
  answered: number;
  isQueued: boolean;
  /** Rounds that could not be done at all, in a row. */
  failures: number;
  /** Ends the timer of its next look; there is always one at most. */
  timer: AbortController;
}

/** What is remembered of the devices of one owner, by their paths on the node. */
export interface TendedDevices {
  readonly made: Map<string, Made>;
  readonly told: Map<string, ToldDevice>;
  /** As the last round found and left them. */
  standings: readonly DeviceStanding[];
  /** What their paths led to at the last round, as text. */
  found: string;
}

/** What is remembered of one vNIC. */
export interface TendedVnic {
  lease: KeptLease | undefined;
  client: LeaseClient | undefined;
  isConfirmed: boolean;
  silence: string | undefined;
  /** Addresses that were ours, or were asked for in vain, with the elapsed milliseconds until which that counts. */
  readonly free: Map<string, number>;
  /** The address that the LAN is being asked for, and what ends the question. */
  probing: { readonly address: string; readonly stop: AbortController } | undefined;
  ipv6: Ipv6Use | undefined;
  /** Since when, in elapsed milliseconds, an address by SLAAC is missing on this link in this LAN. */
  slaacSince: number | undefined;
  upon: { readonly name: string; readonly index: number } | undefined;
  /** The whole NIC that was given to it, as the node had it. */
  nic: RecordedNic | undefined;
  /** What failed, how often in a row, and when it is tried again, in elapsed milliseconds. */
  problem: (Omit<Problem, "isWaiting"> & { readonly attempt: number; readonly retryAt: number }) | undefined;
  /** Its parent at the last round. */
  parent: Interface | undefined;
}

/** What is known of an owner at first: what is kept on disk. */
export function newTended(attachment: Attachment, store: Store): Tended {
  const { owner } = attachment;
  const [leases, nics] = [store.leases(owner), store.nics(owner)];
  const names = new Set([...attachment.vnics.map(({ name }) => name), ...leases.keys(), ...nics.keys()]);
  return {
    ...{
      attachment,
      absence: "",
      process: undefined,
      netns: undefined,
      standings: [],
      nameServers: "",
      hasFiles: false,
      requestId: "",
    },
    vnics: new Map([...names].map((name) => [name, newTendedVnic(leases.get(name), nics.get(name))])),
    ...{ told: store.told(owner), displaced: store.displaced(owner) },
    devices: {
      ...{ made: store.devices.made(owner), told: store.devices.told(owner), standings: [], found: "" },
    },
    ...{ asked: 0, answered: 0, failures: 0, isQueued: false, timer: new AbortController() },
  };
}

export function newTendedVnic(lease?: KeptLease, nic?: RecordedNic): TendedVnic {
  return {
    ...{
      lease,
      client: undefined,
      isConfirmed: false,
      silence: undefined,
      free: new Map<string, number>(),
      probing: undefined,
    },
    ...{
      nic,
      ipv6: undefined,
      slaacSince: undefined,
      upon: undefined,
      problem: undefined,
      parent: undefined,
    },
  };
}

/** What the plan must know of a vNIC. */
export function knownOf(vnic: TendedVnic, elapsed: number): Known {
  const { lease, client, isConfirmed, silence, free, ipv6, upon, problem, nic, probing } = vnic;
  return {
    ...(lease && { lease: lease.lease, leaseLan: lease.lan }),
    ...{ isConfirmed, hasClient: client !== undefined },
    ...(silence !== undefined && { silence }),
    free: new Set([...free].flatMap(([host, until]) => (until > elapsed ? host : []))),
    ...(ipv6 && { ipv6 }),
    ...(upon && { upon }),
    ...(nic && { nic }),
    ...(probing && { probing: probing.address }),
    ...(problem && { problem: { ...problem, isWaiting: problem.retryAt > elapsed } }),
  };
}

/** Names one life of a container. */
export function lifeOf({ pid, startTicks }: Owner): string {
  return `${pid}:${startTicks}`;
}
