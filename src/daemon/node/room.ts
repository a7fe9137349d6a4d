import type { Finding } from "../../../gen/edge/v1/findings_pb.ts";
import type { NetworkPicture } from "../../../gen/edge/v1/netmon_pb.ts";
import type { Engine, Inventory } from "../../../gen/edge/v1/node_pb.ts";
import type { Transport } from "../../../gen/edge/v1/transport_pb.ts";
import type { Roots } from "./roots.ts";

/** See `NodeRoom.link`. */
export interface LinkState {
  connected: boolean;
  hubOffsetMs: number | undefined;
  renewsAt: number | undefined;
  /** Where the line leads while it is up, as `host:port`, how it travels, and through which proxy. */
  address: string | undefined;
  transport: Transport;
  proxy: string | undefined;
  /** Why it is not up, as a sentence. */
  problem: string | undefined;
}

/** What the handlers of this room ask others for. Made once by the daemon's wiring. */
export interface NodeRoom {
  roots: Roots;
  /** Begun when the daemon starts; see `readInventory`. A failed one fails each GetNode. */
  inventory: Promise<Inventory>;
  /** The daemon's version, as in `0.1.0`. */
  version: string;
  /** When the daemon started: wall time in milliseconds. */
  startedAt: number;
  /** Wall time in milliseconds. */
  now: () => number;
  /** Who the node is, where its hub is (`host:port`), when its certificate expires; undefined before enrolment. */
  identity: () => { nodeId: string; hubAddress: string; expiresAt: number } | undefined;
  /**
   * The line to the hub: whether it is up, hub time minus node time in milliseconds as last seen, if ever, and when it asks
   * for the next certificate, if it will.
   */
  link: () => LinkState;
  /** The container engine, asked now. Tells in `problem` why it is not reachable, and does not reject for that. */
  engine: (signal: AbortSignal) => Promise<Engine>;
  /** The network as netmon sees it; undefined while netmon does not tell. */
  picture: () => NetworkPicture | undefined;
  /** What the doctor finds on this machine. @throws {Failure} unavailable. */
  check: () => Promise<Finding[]>;
  /** Whether a runtime of this name is wished for. */
  hasRuntime: (name: string) => boolean;
}
