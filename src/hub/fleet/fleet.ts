import { toBinary } from "@bufbuild/protobuf";
import { type Status, StatusSchema } from "../../../gen/edge/v1/control_pb.ts";
import type { FleetNode, WatchNodesResponse } from "../../../gen/edge/v1/fleet_pb.ts";
import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { isSelected } from "../../wire/selector.ts";
import type { Store, Tx } from "../store/index.ts";
import { Feed } from "./feed.ts";
import { fence, isReplaced, type NodeHello, type Outcast } from "./fence.ts";
import { changeLabels, type LabelChange, type NodeLabel, toLabels } from "./labels.ts";
import { pictures } from "./pictures.ts";
import { type EnrolledNode, insertNode, type NodeRecord, newRecord, toRecord } from "./records.ts";
import { deleteNode, type Removal, toRemoval } from "./removal.ts";
import { Saving } from "./saving.ts";
import { toFleetNode, toPicture } from "./view.ts";

export interface FleetOptions {
  store: Store;
  clock: Clock;
  log: Logger;
  /** What changes within this time of a picture given to a watcher is gathered into the next, in milliseconds. */
  watchPaceMs?: number;
}

/** What else must happen when a node is removed. */
export interface RemovalWitness {
  /** Within the transaction that removes it, which is about the node; what it returns is called after the commit. */
  drop?(tx: Tx, nodeId: string): Promise<() => void>;
  /** After the commit: whatever is open to that node ends. */
  cut?(nodeId: string): void;
}

/** All nodes of the hub, in memory, with what must survive the hub kept in the store. */
export class Fleet {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #watchPaceMs: number;
  readonly #records: Map<string, NodeRecord>;
  readonly #removed: Map<string, Removal>;
  readonly #feed = new Feed();
  readonly #witnesses: RemovalWitness[] = [];
  readonly #saving: Saving;

  private constructor(
    options: FleetOptions,
    records: Map<string, NodeRecord>,
    removed: Map<string, Removal>,
  ) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#watchPaceMs = options.watchPaceMs ?? 100;
    this.#records = records;
    this.#removed = removed;
    this.#saving = new Saving(options.store, (id) => records.get(id));
  }

  /** The fleet as the store has it; nobody is connected yet. */
  static async open(options: FleetOptions): Promise<Fleet> {
    const nodes = await options.store.read("SELECT * FROM nodes ORDER BY id");
    const removed = await options.store.read("SELECT id, workloads FROM removed_nodes");
    const labels = toLabels(await options.store.read("SELECT * FROM node_labels ORDER BY node_id, key"));
    return new Fleet(
      options,
      new Map(nodes.map((row) => [String(row.id), toRecord(row, labels.get(String(row.id)) ?? [])])),
      new Map(removed.map((row) => [String(row.id), toRemoval(row)])),
    );
  }

  /** Whether a node belongs to the fleet. */
  has(id: string): boolean {
    return this.#records.has(id);
  }

  /** Whether a node's line is up. */
  isConnected(id: string): boolean {
    return this.#records.get(id)?.connected ?? false;
  }

  /** Nodes in the fleet. */
  get size(): number {
    return this.#records.size;
  }

  /** The nodes with these ids, or all, ordered by id. An id that is not there is left out. */
  list(ids: readonly string[] = []): FleetNode[] {
    const now = this.#clock.now();
    const wanted = ids.length === 0 ? [...this.#records.keys()] : [...new Set(ids)];
    return wanted
      .sort()
      .flatMap((id) => this.#records.get(id) ?? [])
      .map((record) => toFleetNode(record, now));
  }

  /** Refuses who is not in the fleet. Unlike `get`, it makes no picture of the node. @throws {Failure} not_found. */
  mustHave(id: string): void {
    this.#known(id);
  }

  /** One node. @throws {Failure} not_found. */
  get(id: string): FleetNode {
    return toFleetNode(this.#known(id), this.#clock.now());
  }

  /**
   * All nodes now, then each that changes, as it is when the watcher looks. The last of the first has `caughtUp`, as has all
   * that follows; of an empty fleet there is one message without a node. Ends when the signal is aborted.
   */
  watch(signal: AbortSignal): AsyncGenerator<WatchNodesResponse> {
    return pictures(this.#feed, signal, {
      ids: () => [...this.#records.keys()].sort(),
      pictureOf: (id, caughtUp) => toPicture(id, this.#records.get(id), { now: this.#clock.now(), caughtUp }),
      pause: () => this.#clock.sleep(this.#watchPaceMs, signal),
    });
  }

  /** Takes a node in, or notes its new certificate. Durable when it resolves. */
  async enrolled(one: EnrolledNode): Promise<void> {
    await this.#store.write((tx) => insertNode(tx, one), [`node ${one.nodeId}`]);
    this.#removed.delete(one.nodeId);
    const record = this.#records.get(one.nodeId) ?? newRecord(one.nodeId, one.at);
    record.hostName = one.hostName;
    record.certificateSerial = one.serial;
    record.certificateExpiresAt = one.expiresAt;
    this.#records.set(one.nodeId, record);
    this.#feed.touch(one.nodeId);
  }

  /**
   * Takes a node out of the fleet for good: its line is cut, its queue dropped. From the call on it is nobody, and is told of the
   * removal when it dials.
   * @throws {Failure} not_found; exhausted or unavailable: it could not be written, and the node is as it was.
   */
  async remove(id: string, removal: Removal = { workloads: undefined }): Promise<void> {
    const record = this.#known(id);
    this.#records.delete(id);
    this.#removed.set(id, removal);
    let settle: (() => void)[];
    try {
      settle = await this.#store.write(
        async (tx) => {
          await deleteNode(tx, record, removal, this.#clock.now());
          const settle: (() => void)[] = [];
          for (const witness of this.#witnesses) {
            const done = await witness.drop?.(tx, id);
            if (done) settle.push(done);
          }
          return settle;
        },
        [`node ${id}`],
      );
    } catch (thrown) {
      this.#removed.delete(id);
      this.#records.set(id, record);
      throw thrown;
    }
    for (const done of settle) done();
    for (const witness of this.#witnesses) witness.cut?.(id);
    this.#feed.touch(id);
    this.#log.info({ node: id }, "node removed");
  }

  /** The ids of the nodes that have all of these labels, in order. */
  matching(selector: readonly NodeLabel[]): string[] {
    const found = [...this.#records.values()].filter(({ labels }) => isSelected(labels, selector));
    return found.map(({ id }) => id).sort();
  }

  /** Changes the labels of a node. @throws {Failure} not_found; invalid, exhausted: as `changeLabels`. */
  async label(id: string, change: LabelChange): Promise<FleetNode> {
    const labels = await this.#store.write(
      async (tx) => {
        this.#known(id);
        return await changeLabels(tx, id, change);
      },
      [`node ${id}`],
    );
    const record = this.#known(id);
    record.labels = labels;
    this.#feed.touch(id);
    return toFleetNode(record, this.#clock.now());
  }

  /** How a node was removed, if it was. */
  removalOf(id: string): Removal | undefined {
    return this.#removed.get(id);
  }

  /** Has `witness` told of every removal. For the rooms that keep something of a node. */
  witnessRemovals(witness: RemovalWitness): void {
    this.#witnesses.push(witness);
  }

  /**
   * Whether a node that says hello may come in. Decided at once, so that of two streams that race only one wins; the fence
   * is then in memory, and on disk when `saved` is called next and resolves.
   */
  admit(id: string, hello: NodeHello): Outcast | undefined {
    const record = this.#records.get(id);
    if (!record) return this.#removed.has(id) ? "removed" : "unknown";
    if (isReplaced(record.certificateIssuedAt, hello.certificateIssuedAt)) {
      this.warn(
        id,
        `${hello.hostName || "a machine that did not say its name"} has an older certificate of this node than ${record.hostName}: one of the two is a copy`,
      );
      return "replaced";
    }
    const verdict = fence(record, hello);
    if (verdict === "cloned") {
      this.warn(
        id,
        `another machine holds this node's identity: ${hello.hostName || "it did not say its name"}`,
      );
    }
    if (verdict !== "newest") return verdict;
    Object.assign(record, hello);
    return undefined;
  }

  /** Whether the owner of an expired certificate may have the next one. */
  mayRenew(id: string, certificateIssuedAt: number): Outcast | undefined {
    const record = this.#records.get(id);
    if (!record) return this.#removed.has(id) ? "removed" : "unknown";
    return isReplaced(record.certificateIssuedAt, certificateIssuedAt) ? "replaced" : undefined;
  }

  /** A node's line came up. */
  arrived(id: string): void {
    this.#setConnected(id, true);
  }

  /** A node's line went down. Only the owner of the newest stream may say so. */
  left(id: string): void {
    this.#setConnected(id, false);
  }

  /** A node was heard. In memory only. */
  heard(id: string, sample: Sample | undefined): void {
    const record = this.#records.get(id);
    if (!record) return;
    record.seenAt = this.#clock.now();
    if (!sample) return;
    record.sample = sample;
    this.#feed.touch(id);
  }

  /** A node said what is. Kept, when it is not what was known. */
  said(id: string, status: Status): void {
    const record = this.#records.get(id);
    const bytes = toBinary(StatusSchema, status);
    if (!record || (record.status && Buffer.compare(record.status, bytes) === 0)) return;
    record.status = bytes;
    this.#feed.touch(id);
    this.#saveSoon(id);
  }

  /** Tells operators about something that they should look at, as a sentence. Shown for a day. */
  warn(id: string, warning: string): void {
    const record = this.#records.get(id);
    if (!record) return;
    this.#log.warn({ node: id, warning }, "node needs a look");
    record.warning = warning;
    record.warnedAt = this.#clock.now();
    this.#feed.touch(id);
    this.#saveSoon(id);
  }

  /** How many of a node's commands have no result. */
  setPending(id: string, pending: number): void {
    const record = this.#records.get(id);
    if (!record || record.pending === pending) return;
    record.pending = pending;
    this.#feed.touch(id);
  }

  /**
   * Puts on disk what is in memory of a node. All that is asked for in one turn is one write.
   * @throws {Failure} exhausted, unavailable: it is tried again with the next.
   */
  saved(id: string): Promise<void> {
    return this.#saving.save(id);
  }

  #saveSoon(id: string): void {
    this.saved(id).catch((error: unknown) => {
      this.#log.error({ node: id, error }, "node could not be written, its newest is in memory only");
    });
  }

  #setConnected(id: string, connected: boolean): void {
    const record = this.#records.get(id);
    if (!record) return;
    const now = this.#clock.now();
    record.connected = connected;
    record.changedAt = now;
    if (connected) record.seenAt = now;
    else record.sample = undefined;
    this.#feed.touch(id);
    this.#saveSoon(id);
  }

  #known(id: string): NodeRecord {
    const record = this.#records.get(id);
    if (!record) throw failure("not_found", `node ${id} is not in the fleet: see \`orchestrator node list\``);
    return record;
  }
}
