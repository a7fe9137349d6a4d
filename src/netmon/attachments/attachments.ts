import { isDeepStrictEqual } from "node:util";
import { create } from "@bufbuild/protobuf";
import type { DeviceStatus } from "../../../gen/edge/v1/devices_pb.ts";
import {
  type Attachment,
  type AttachmentEvent,
  type AttachmentStatus,
  AttachmentStatusSchema,
} from "../../../gen/edge/v1/netmon_pb.ts";
import {
  VnicChangeKind as Kind,
  type Vnic,
  type VnicStatus,
  VnicStatusSchema,
} from "../../../gen/edge/v1/vnics_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import type { Seen } from "../picture/index.ts";
import { askLan } from "./ask.ts";
import { checkAgainst, checkAttachment } from "./check.ts";
import { stopClient } from "./clients.ts";
import { giveBack } from "./detach.ts";
import { deviceStatusesOf, tellDevicesGone } from "./devices.ts";
import { Events } from "./events.ts";
import { returnNics } from "./links.ts";
import { Loop } from "./loop.ts";
import { isLeased } from "./plan-link.ts";
import { freeMs } from "./probe.ts";
import { leave } from "./round.ts";
import { Store } from "./store.ts";
import { newTended, newTendedVnic, type Tended } from "./tended.ts";

export interface AttachmentsOptions {
  /** With the tables of `schema`. */
  readonly sql: Sql;
  /** The newest settled picture of the node's network. */
  readonly picture: () => Seen;
  /** Where the node's /dev is. */
  readonly devFolder: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Longest time between looks at everything, in milliseconds. */
  readonly lookEveryMs: number;
}

/** What was attached, as it is now. */
export interface Attached {
  readonly vnics: VnicStatus[];
  readonly devices: DeviceStatus[];
}

/** How long a caller of `attach` waits for what comes by itself, such as a first lease, in milliseconds. */
const settleMs = 5_000;

/** The vNICs of this node's runtimes: what should be, what is, what happened, and the loop that keeps them so. */
export class Attachments implements AsyncDisposable {
  /** Told when a status is another one or something happened. */
  readonly changes = new Changes();
  readonly #loop: Loop;

  private constructor({ sql, lookEveryMs, ...options }: AttachmentsOptions) {
    const store = new Store(sql);
    const events = new Events(sql, options.clock.now);
    this.#loop = new Loop({ ...options, store, events, changed: () => this.changes.notify() }, lookEveryMs);
    for (const attachment of store.attachments()) {
      this.#loop.all.set(attachment.owner, newTended(attachment, store));
    }
  }

  static open(options: AttachmentsOptions): Attachments {
    return new Attachments(options);
  }

  /** Keeps the vNICs as they should be until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  /** Containers may have come or gone, or the picture of the network is another one. Costs nothing. */
  notice(): void {
    this.#loop.notice();
  }

  /**
   * Keeps an attachment and makes it so; `edge.v1.NetMon.Attach` says what it promises.
   * @throws {Failure} invalid, conflict, unsupported: nothing is kept, and the earlier attachment stays.
   */
  async attach(attachment: Attachment, requestId: string, signal: AbortSignal): Promise<Attached> {
    checkAttachment(attachment, requestId);
    const { owner } = attachment;
    const stop = AbortSignal.any([signal, this.#loop.signal]);
    const tended = await this.#loop.alone(owner, async () => {
      this.#check(attachment);
      const free = await askLan(attachment, this.#loop.all.get(owner), this.#loop.tools, stop);
      this.#check(attachment); // Another may have been attached while the LAN was asked.
      return await this.#keep(attachment, free, requestId);
    });
    await this.#untilSettled(tended, this.#loop.begin(tended), stop);
    return { vnics: statusesOf(tended), devices: deviceStatusesOf(tended) };
  }

  /** Takes an attachment away, gives its leases back and forgets it. Says whether there was one. */
  async detach(owner: string, requestId: string): Promise<boolean> {
    const { tools, all } = this.#loop;
    return await this.#loop.alone(owner, async () => {
      const tended = all.get(owner);
      if (!tended) return false;
      tended.requestId = requestId;
      await giveBack(tended, tended.attachment.vnics, tools, this.#loop.signal);
      await leave(tended, tools, this.#loop.signal);
      await returnNics(tended, tools, this.#loop.signal);
      tools.store.atomically(() => {
        for (const [vnic, { link }] of tended.told) if (link !== "") this.#tellDetached(tended, vnic);
        tellDevicesGone(tended, tools);
        tools.store.forget(owner);
      });
      this.#loop.forget(tended);
      this.changes.notify();
      return true;
    });
  }

  /** Resolves when each attachment was looked at once, so that its status is of now and not of the last netmon. */
  looked(signal: AbortSignal): Promise<void> {
    return this.#loop.looked(AbortSignal.any([signal, this.#loop.signal, AbortSignal.timeout(settleMs)]));
  }

  /** Of all attachments, ordered by owner. */
  statuses(): AttachmentStatus[] {
    const all = [...this.#loop.all.values()].sort((a, b) =>
      a.attachment.owner < b.attachment.owner ? -1 : 1,
    );
    return all.map((tended) => {
      const { owner, containerId } = tended.attachment;
      const [vnics, devices] = [statusesOf(tended), deviceStatusesOf(tended)];
      return create(AttachmentStatusSchema, { owner, containerId, vnics, devices });
    });
  }

  /** What happened after this number, in order, at most `limit`. */
  eventsAfter(sequence: number, limit: number): AttachmentEvent[] {
    return this.#loop.tools.events.after(sequence, limit);
  }

  get lastSequence(): number {
    return this.#loop.tools.events.last;
  }

  /** Ends, and leaves every link, address and lease as it is: the next netmon goes on with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
    for (const tended of this.#loop.all.values()) {
      for (const vnic of tended.vnics.values()) await stopClient(vnic);
      await tended.netns?.[Symbol.asyncDispose]();
    }
  }

  #check(attachment: Attachment): void {
    const others = [...this.#loop.all.values()].map((one) => one.attachment);
    checkAgainst(attachment, others, this.#loop.tools.picture());
  }

  /** Keeps it, and takes back what the earlier one had and this one has not. */
  async #keep(attachment: Attachment, free: ReadonlyMap<string, string>, requestId: string): Promise<Tended> {
    const { tools, all, signal } = this.#loop;
    const tended = all.get(attachment.owner) ?? newTended(attachment, tools.store);
    const before = tended.attachment;
    tools.store.keep(attachment);
    all.set(attachment.owner, tended);
    tended.requestId = requestId;
    const gone = before.vnics.filter((old) => !attachment.vnics.some((one) => hasSameLease(old, one)));
    await giveBack(tended, gone, tools, signal);
    if (before.containerId !== attachment.containerId) {
      await leave(tended, tools, signal);
      tended.process = undefined;
    }
    tended.attachment = attachment;
    const until = tools.clock.elapsed() + freeMs;
    for (const wish of attachment.vnics) {
      const vnic = tended.vnics.get(wish.name) ?? newTendedVnic();
      tended.vnics.set(wish.name, vnic);
      vnic.problem = undefined;
      const host = free.get(wish.name);
      if (host !== undefined) vnic.free.set(host, until);
      const old = before.vnics.find(({ name }) => name === wish.name);
      if (old && !isDeepStrictEqual(old, wish)) vnic.upon = undefined;
    }
    return tended;
  }

  /** Until each vNIC is up, failed, or waits for something that does not come by itself. */
  async #untilSettled(tended: Tended, number: number, signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([signal, AbortSignal.timeout(settleMs)]);
    for await (const _ of this.#loop.rounds.wakes(stop)) {
      const isPending = tended.standings.some((one) => one.isPending) || isBeginning(tended);
      if (tended.answered >= number && !isPending) return;
    }
  }

  #tellDetached({ attachment, requestId }: Tended, vnic: string): void {
    const { owner, runtime } = attachment;
    const change = { runtime, vnic, kind: Kind.DETACHED };
    this.#loop.tools.events.append({ owner, change, requestId, reason: "it is not wanted any more" });
  }
}

/** Whether a vNIC can keep the lease of the earlier one. */
function hasSameLease(old: Vnic, one: Vnic): boolean {
  const isSame = (["name", "mac", "mode", "parent", "parentMac", "vlanId"] as const).every(
    (key) => old[key] === one[key],
  );
  return isSame && isLeased(old) === isLeased(one);
}

/** Whether its container is just being started, and gets its devices in a moment. */
function isBeginning({ attachment, netns, hasFiles }: Tended): boolean {
  return attachment.devices.length > 0 && netns !== undefined && !hasFiles;
}

function statusesOf({ attachment, told }: Tended): VnicStatus[] {
  return attachment.vnics.map(
    ({ name, mac }) =>
      told.get(name)?.status ?? create(VnicStatusSchema, { name, mac, reason: "it is being looked at" }),
  );
}
