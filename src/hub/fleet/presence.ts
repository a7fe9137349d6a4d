import { toBinary } from "@bufbuild/protobuf";
import { type Status, StatusSchema } from "../../../gen/edge/v1/control_pb.ts";
import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import { Transport } from "../../../gen/edge/v1/transport_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Replicas } from "../replicas/index.ts";
import type { Store, Tx } from "../store/index.ts";
import { Claims } from "./claims.ts";
import { warningOf } from "./copies.ts";
import type { NodeHello, Outcast } from "./fence.ts";
import { Heard } from "./heard.ts";
import { disown, heirOf, mustHold, own } from "./owning.ts";
import type { Roster } from "./roster.ts";
import { Saving } from "./saving.ts";

export interface PresenceOptions {
  store: Store;
  replicas: Replicas;
  roster: Roster;
  clock: Clock;
  log: Logger;
  /** Reads what other replicas wrote. */
  look: () => Promise<void>;
}

/** The fleet as a line sees it: who comes in, what nodes say of themselves, and who has left. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #claims: Claims;
  readonly #saving: Saving;
  readonly #heard: Heard;

  constructor(options: PresenceOptions) {
    const { store, replicas, roster, clock } = options;
    const replicaId = replicas.id;
    this.#options = options;
    this.#heard = new Heard(replicas, roster);
    this.#claims = new Claims({ store, clock, replicas });
    this.#saving = new Saving({
      ...{ store, replicaId, recordOf: (id) => roster.records.get(id) },
      onSaved: () => replicas.tell("fleet", ["nodes"]),
    });
    replicas.onLook(() => this.#saving.retry());
    replicas.onGone((id, isHeir) => this.#gone(id, isHeir));
    replicas.onBack((id) => {
      for (const nodeId of own(roster.records.values(), id)) roster.feed.touch(nodeId);
    });
    replicas.onRejoin(() => {
      for (const { id, isHeld } of roster.records.values()) if (isHeld) this.#saveSoon(id, "said");
    });
    replicas.hear("pending", (all) => this.#heardPending(all));
  }

  /**
   * Lets a node that says hello come in, or says why not. Decided in the store, so that of two streams that race only one wins,
   * whichever replicas they came to; the fence is on disk when this resolves. Claims that come to one replica are decided in order.
   * @throws {Failure} exhausted, unavailable.
   */
  async claim(id: string, hello: NodeHello): Promise<Outcast | undefined> {
    const { roster, replicas, look } = this.#options;
    const claimed = await this.#claims.claim(id, hello);
    if (claimed.was === "refused") {
      const warning = warningOf(claimed.outcast, claimed.holder, {
        ...hello,
        since: this.#options.clock.now(),
      });
      if (warning !== undefined) this.warn(id, warning);
      return claimed.outcast;
    }
    // It may have enrolled at another replica a moment ago.
    if (!roster.records.has(id)) await look();
    const record = roster.records.get(id);
    if (!record) return "removed";
    const { revision, at } = claimed;
    const held = { owner: replicas.id, revision, isHeld: true, seenAt: at, changedAt: at };
    Object.assign(record, hello, held);
    roster.feed.touch(id);
    replicas.tell("fleet", ["nodes"]);
    return undefined;
  }

  /** Within a transaction about the node. @throws {Failure} conflict: its line with this epoch is no longer the newest. */
  mustHold(tx: Tx, id: string, epoch: number): Promise<void> {
    return mustHold(tx, { id, epoch, replicaId: this.#options.replicas.id });
  }

  /** A node's line came up. */
  arrived(id: string, transport: Transport = Transport.GRPC): void {
    const record = this.#options.roster.records.get(id);
    if (record) record.transport = transport;
    this.#setConnected(id, true);
  }

  /** A node's line went down. Only the owner of the newest stream may say so. */
  left(id: string): void {
    const record = this.#options.roster.records.get(id);
    if (record) record.isHeld = false;
    this.#setConnected(id, false);
    this.#saveSoon(id, "said");
  }

  /** A node was heard. In memory only, here and at the other replicas. */
  heard(id: string, sample: Sample | undefined): void {
    const { roster, clock } = this.#options;
    const record = roster.records.get(id);
    if (!record) return;
    record.seenAt = clock.now();
    this.#heard.note(id);
    if (!sample) return;
    record.sample = sample;
    roster.feed.touch(id);
  }

  /** A node said what is. Kept, when it is not what was known. */
  said(id: string, status: Status): void {
    const { roster } = this.#options;
    const record = roster.records.get(id);
    const bytes = toBinary(StatusSchema, status);
    if (!record || (record.status && Buffer.compare(record.status, bytes) === 0)) return;
    record.status = bytes;
    roster.feed.touch(id);
    this.#saveSoon(id, "said");
  }

  /** Tells operators about something that they should look at, as a sentence. Shown for a day. */
  warn(id: string, warning: string): void {
    const { roster, log, clock } = this.#options;
    const record = roster.records.get(id);
    if (!record) return;
    log.warn({ node: id, warning }, "node needs a look");
    record.warning = warning;
    record.warnedAt = clock.now();
    roster.feed.touch(id);
    this.#saveSoon(id, "warned");
  }

  /** How many of a node's commands have no result. */
  setPending(id: string, pending: number): void {
    if (this.#setPending(id, pending)) this.#options.replicas.tell("pending", [`${id} ${pending}`]);
  }

  /** How many commands without a result the nodes have that have some; the others have none. */
  recount(pending: ReadonlyMap<string, number>): void {
    for (const id of this.#options.roster.records.keys()) this.#setPending(id, pending.get(id) ?? 0);
  }

  /**
   * Puts on disk what is in memory of a node. All that is asked for in one turn is one write.
   * @throws {Failure} exhausted, unavailable: it is tried again.
   */
  saved(id: string): Promise<void> {
    return this.#saving.save(id, "said");
  }

  /** Resolves when what is on its way to the store is there, or has failed. */
  async flush(): Promise<void> {
    await this.#saving.flush().catch(() => {});
  }

  #saveSoon(id: string, what: "said" | "warned"): void {
    this.#saving.save(id, what).catch((error: unknown) => {
      this.#options.log.error({ node: id, error }, "node could not be written, its newest is in memory only");
    });
  }

  #setPending(id: string, pending: number): boolean {
    const { roster } = this.#options;
    const record = roster.records.get(id);
    if (!record || record.pending === pending) return false;
    record.pending = pending;
    roster.feed.touch(id);
    return true;
  }

  #heardPending(all: readonly string[]): void {
    for (const one of all) {
      const [id = "", pending] = one.split(" ");
      this.#setPending(id, Number(pending));
    }
  }

  #setConnected(id: string, connected: boolean): void {
    const { roster, clock } = this.#options;
    const record = roster.records.get(id);
    if (!record) return;
    const now = clock.now();
    record.connected = connected;
    record.changedAt = now;
    if (connected) record.seenAt = now;
    else record.sample = undefined;
    roster.feed.touch(id);
  }

  /** A replica is gone, and its nodes with it until they are somewhere else. */
  #gone(replicaId: string, isHeir: boolean): void {
    const { roster, store, clock, replicas, log } = this.#options;
    for (const id of disown(roster.records.values(), replicaId)) roster.feed.touch(id);
    if (!isHeir) return;
    heirOf(store, replicaId, clock.now()).then(
      () => replicas.tell("fleet", ["nodes"]),
      (error: unknown) => log.warn({ replica: replicaId, error }, "what it left is not tidied up"),
    );
  }
}
