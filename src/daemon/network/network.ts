import { create, type DescMethod, type MessageShape } from "@bufbuild/protobuf";
import type { Device } from "../../../gen/edge/v1/devices_pb.ts";
import {
  type AttachmentStatus,
  AttachRequestSchema,
  DetachRequestSchema,
  NetMon,
  type NetworkPicture,
  WatchAttachmentsRequestSchema,
  type WatchAttachmentsResponse,
  WatchNetworkRequestSchema,
} from "../../../gen/edge/v1/netmon_pb.ts";
import type { Vnic } from "../../../gen/edge/v1/vnics_pb.ts";
import { backoffMs } from "../../base/backoff.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { runTasks } from "../../base/tasks.ts";
import { pictureAfter } from "../../wire/network-picture.ts";
import type { Journal } from "../journal/index.ts";
import { NetmonClient } from "./client.ts";
import { macOf } from "./mac.ts";
import { News } from "./news.ts";

export interface NetworkOptions {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  /** `netmon.socket`. Nobody need be there yet. */
  socket: string;
  /** Of this daemon: netmon may serve several. */
  instanceId: string;
  /** Uniform in [0, 1), for pauses. */
  random: () => number;
}

/** What netmon keeps for one runtime. */
export type Attached = Pick<AttachmentStatus, "containerId" | "vnics" | "devices">;

/** Whether netmon answers, and what it keeps for runtimes of this daemon, by their names. */
export type Reached =
  | { at: "unknown" }
  | { at: "away"; problem: Failure }
  | { at: "there"; attached: ReadonlyMap<string, Attached> };

/** What should be plugged in. */
export interface Wanted {
  runtime: string;
  containerId: string;
  vnics: readonly Vnic[];
  devices: readonly Device[];
  /** The command that asks; empty when none does. */
  commandId: string;
}

/** Between two tries to reach netmon. */
const pauseMs = { firstMs: 250, lastMs: 5_000 };
/** Netmon answers when it knows how far each vNIC is, which takes a few seconds where nobody answers it. */
const attachMs = 60_000;
const detachMs = 15_000;

/** Netmon, as the daemon knows it. */
export class Network {
  /** What can be said of netmon or of a vNIC may have changed. */
  readonly changes = new Changes();
  readonly #options: NetworkOptions;
  readonly #news: News;
  #reached: Reached = { at: "unknown" };
  #picture: NetworkPicture | undefined;

  private constructor(options: NetworkOptions) {
    this.#options = options;
    const { sql, journal } = options;
    this.#news = new News({ sql, journal, isOurs: (owner) => this.#runtimeOf(owner) !== undefined });
  }

  static open(options: NetworkOptions): Network {
    return new Network(options);
  }

  /** Listens to netmon for as long as the signal lets it. A netmon that is away is asked again and again. */
  async run(signal: AbortSignal): Promise<void> {
    await runTasks(
      signal,
      (stop) => this.#followAttachments(stop),
      (stop) => this.#followPicture(stop),
    );
  }

  /** As it was told last. */
  get netmon(): Reached {
    return this.#reached;
  }

  /** Whether it was ever heard: then it may keep vNICs of this daemon, also while it is away. */
  get isKnown(): boolean {
    return this.#news.cursor !== undefined;
  }

  /** The machine's network as netmon sees it now; undefined while it does not tell. */
  get picture(): NetworkPicture | undefined {
    return this.#picture;
  }

  /** The MAC address that a vNIC has for life; empty when it has its parent's or its own. */
  macOf(runtime: string, vnic: Pick<Vnic, "name" | "mac" | "mode">): string {
    return macOf({ instanceId: this.#options.instanceId, runtime, vnic });
  }

  /**
   * Plugs in: netmon keeps it from now on, over every start of the container. Returns when each vNIC is up or has said what it
   * waits for, and each device is plugged in that is there. The same again is the same success.
   * @throws {Failure} as `NetMon.Attach` says. unavailable: netmon does not answer.
   */
  async attach(
    { runtime, containerId, vnics, devices, commandId }: Wanted,
    signal: AbortSignal,
  ): Promise<Attached> {
    const attachment = {
      owner: this.#ownerOf(runtime),
      ...{ containerId, runtime },
      vnics: vnics.map((vnic) => ({ ...vnic, mac: this.macOf(runtime, vnic) })),
      devices: [...devices],
    };
    const request = create(AttachRequestSchema, { requestId: commandId, attachment });
    const answer = await this.#call(NetMon.method.attach, request, { signal, timeoutMs: attachMs });
    const now = { containerId, vnics: answer.vnics, devices: answer.devices };
    this.#know((attached) => attached.set(runtime, now));
    return now;
  }

  /**
   * Takes away what was plugged in and gives its leases back. Nothing to take away is the same success.
   * @throws {Failure} unavailable: netmon does not answer.
   */
  async detach(runtime: string, commandId: string, signal: AbortSignal): Promise<void> {
    const request = create(DetachRequestSchema, { requestId: commandId, owner: this.#ownerOf(runtime) });
    await this.#call(NetMon.method.detach, request, { signal, timeoutMs: detachMs });
    this.#know((attached) => attached.delete(runtime));
  }

  async #call<M extends DescMethod>(
    method: M,
    request: MessageShape<M["input"]>,
    options: { signal: AbortSignal; timeoutMs: number },
  ): Promise<MessageShape<M["output"]>> {
    using client = new NetmonClient(this.#options.socket);
    return await client.call(method, request, options);
  }

  /** An answer is newer than what the watch told before it. */
  #know(change: (attached: Map<string, Attached>) => void): void {
    if (this.#reached.at !== "there") return;
    const attached = new Map(this.#reached.attached);
    change(attached);
    this.#reached = { at: "there", attached };
    this.changes.notify();
  }

  async #followAttachments(signal: AbortSignal): Promise<void> {
    const watch = async (client: NetmonClient) => {
      for (;;) {
        const request = create(WatchAttachmentsRequestSchema, { afterSequence: this.#news.cursor ?? 0n });
        const from = await this.#takeAttachments(
          client.watch(NetMon.method.watchAttachments, request, signal),
        );
        if (from === "its end") return;
      }
    };
    await this.#follow(watch, (problem) => this.#lost(problem), signal);
  }

  /** Takes what is told until it ends, or until netmon has to be asked anew. */
  async #takeAttachments(
    told: AsyncIterable<WatchAttachmentsResponse>,
  ): Promise<"its end" | "another beginning"> {
    for await (const answer of told) {
      // Before anybody plugs in on the strength of it: so that no event comes before it is listened for.
      if (this.#news.take(answer) === "begins anew") return "another beginning";
      const ours = answer.attachments.flatMap(({ owner, containerId, vnics, devices }) => {
        const runtime = this.#runtimeOf(owner);
        return runtime === undefined ? [] : [[runtime, { containerId, vnics, devices }] as const];
      });
      const { socket, log } = this.#options;
      if (this.#reached.at === "away") log.info({ socket }, "netmon answers");
      this.#reached = { at: "there", attached: new Map(ours) };
      this.changes.notify();
    }
    return "its end";
  }

  async #followPicture(signal: AbortSignal): Promise<void> {
    const watch = async (client: NetmonClient) => {
      const request = create(WatchNetworkRequestSchema);
      for await (const told of client.watch(NetMon.method.watchNetwork, request, signal)) {
        this.#picture = pictureAfter(this.#picture, told);
      }
    };
    const lost = () => {
      this.#picture = undefined;
    };
    await this.#follow(watch, lost, signal);
  }

  /** Watches again and again, each time over a connection of its own. */
  async #follow(
    watch: (client: NetmonClient) => Promise<void>,
    lost: (problem: Failure) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, random, socket } = this.#options;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const begun = clock.elapsed();
      try {
        using client = new NetmonClient(socket);
        await watch(client);
        lost(failure("unavailable", `netmon at ${socket} went away: start it (orchestrator netmon start)`));
      } catch (thrown) {
        if (signal.aborted) return;
        lost(asFailure(thrown));
      }
      // One that could be watched for a while is tried again as after a first failure.
      if (clock.elapsed() - begun > pauseMs.lastMs) attempt = 1;
      await clock.sleep(backoffMs(attempt, { ...pauseMs, random }), signal).catch(() => {});
    }
  }

  #lost(problem: Failure): void {
    const { socket, log } = this.#options;
    if (this.#reached.at !== "away") log.info({ socket, reason: problem.message }, "netmon is away");
    this.#reached = { at: "away", problem };
    this.changes.notify();
  }

  /** The same over restarts and updates of a runtime, and for no two runtimes of the machine. */
  #ownerOf(runtime: string): string {
    return `${this.#options.instanceId}/${runtime}`;
  }

  /** The runtime of an owner; undefined when it is another daemon's. */
  #runtimeOf(owner: string): string | undefined {
    const prefix = this.#ownerOf("");
    return owner.startsWith(prefix) ? owner.slice(prefix.length) : undefined;
  }
}
