import { fromBinary } from "@bufbuild/protobuf";
import { type Status, StatusSchema } from "../../../gen/edge/v1/control_pb.ts";
import type { FleetNode, WatchNodesResponse } from "../../../gen/edge/v1/fleet_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { type Failure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { meets, type Requirement } from "../../wire/selector.ts";
import { Replicas } from "../replicas/index.ts";
import type { Store, Tx } from "../store/index.ts";
import { isReplaced, type Outcast } from "./fence.ts";
import { Following } from "./following.ts";
import { changeLabels, type LabelChange } from "./labels.ts";
import { type RemovalWitness, takeIn, takeOut } from "./membership.ts";
import { pictures } from "./pictures.ts";
import { Presence } from "./presence.ts";
import type { EnrolledNode, NodeRecord } from "./records.ts";
import type { Removal } from "./removal.ts";
import { lastRevision, touchNode } from "./revision.ts";
import { type Roster, readRoster } from "./roster.ts";
import { type Totals, totalsOf } from "./totals.ts";
import { toFleetNode, toPicture } from "./view.ts";

export interface FleetOptions {
  store: Store;
  clock: Clock;
  log: Logger;
  /** The other replicas of this hub; without them it is alone. */
  replicas?: Replicas | undefined;
  /** What changes within this time of a picture given to a watcher is gathered into the next, in milliseconds. */
  watchPaceMs?: number;
}

/** All nodes of the hub, in memory, with what must survive the hub kept in the store. */
export class Fleet implements AsyncDisposable {
  /** The side that faces the nodes: for the line. */
  readonly presence: Presence;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #watchPaceMs: number;
  readonly #replicas: Replicas;
  readonly #roster: Roster;
  readonly #witnesses: RemovalWitness[] = [];
  readonly #following: Following;

  private constructor(options: FleetOptions, roster: Roster, revision: number) {
    const { store, clock, log, replicas = Replicas.alone() } = options;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#watchPaceMs = options.watchPaceMs ?? 100;
    this.#replicas = replicas;
    this.#roster = roster;
    const rooms = { store, replicas, roster, clock, log };
    this.#following = new Following({
      ...{ ...rooms, revision },
      onOusted: (id) => {
        for (const witness of this.#witnesses) witness.oust?.(id);
      },
      onForgotten: (id) => void this.presence.saved(id).catch(() => {}), // It is tried again.
      onCut: (id) => {
        for (const witness of this.#witnesses) witness.cut?.(id);
      },
    });
    this.presence = new Presence({ ...rooms, look: () => this.#following.look() });
  }

  /** The fleet as the store has it; nobody is connected here yet. */
  static async open(options: FleetOptions): Promise<Fleet> {
    // What is written while the fleet is read is read again.
    const revision = await lastRevision(options.store);
    const fleet = new Fleet(options, await readRoster(options.store), revision);
    for (const record of fleet.#roster.records.values()) {
      record.connected = record.owner !== "" && fleet.#replicas.isAlive(record.owner);
    }
    return fleet;
  }

  /** Follows what other replicas write, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    if (!this.#replicas.isAlone) await this.#following.run(signal);
  }

  /** Resolves when what is on its way to the store is there, or has failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.presence.flush();
  }

  /** Whether a node belongs to the fleet. */
  has(id: string): boolean {
    return this.#roster.records.has(id);
  }

  /** Whether a node's line is up. */
  isConnected(id: string): boolean {
    return this.#roster.records.get(id)?.connected ?? false;
  }

  /** Nodes in the fleet. */
  get size(): number {
    return this.#roster.records.size;
  }

  /** The fleet in numbers. */
  totals(): Totals {
    return totalsOf(this.#roster.records.values(), this.#clock.now());
  }

  /** The nodes with these ids, or all, ordered by id; of one tenant, or of all. An id that is not there is left out. */
  list(ids: readonly string[] = [], tenant?: string): FleetNode[] {
    const now = this.#clock.now();
    const wanted = ids.length === 0 ? [...this.#roster.records.keys()] : [...new Set(ids)];
    return wanted
      .sort()
      .flatMap((id) => this.#roster.records.get(id) ?? [])
      .filter((record) => tenant === undefined || record.tenant === tenant)
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
  watch(signal: AbortSignal, tenant?: string): AsyncGenerator<WatchNodesResponse> {
    const { records, feed } = this.#roster;
    const seen = (id: string) => {
      const record = records.get(id);
      return tenant === undefined || record?.tenant === tenant ? record : undefined;
    };
    return pictures(feed, signal, {
      ids: () => [...records.keys()].filter((id) => seen(id) !== undefined).sort(),
      maySee: (id) => seen(id) !== undefined,
      pictureOf: (id, caughtUp) => toPicture(id, seen(id), { now: this.#clock.now(), caughtUp }),
      pause: () => this.#clock.sleep(this.#watchPaceMs, signal),
    });
  }

  /** Takes a node in, or notes its new certificate. Durable when it resolves. */
  async enrolled(one: EnrolledNode): Promise<void> {
    await takeIn(this.#store, this.#roster, one);
    this.#changed(one.nodeId);
  }

  /**
   * Takes a node out of the fleet for good: its line is cut, its queue dropped. From the call on it is nobody, and is told of the
   * removal when it dials.
   * @throws {Failure} not_found; exhausted or unavailable: it could not be written, and the node is as it was.
   */
  async remove(id: string, removal: Removal = { workloads: undefined }): Promise<void> {
    const record = this.#known(id);
    const at = this.#clock.now();
    await takeOut(this.#store, this.#roster, { record, removal, at, witnesses: this.#witnesses });
    this.#changed(id);
    this.#log.info({ node: id }, "node removed");
  }

  /** What a node said last of its runtimes; undefined when it is not there, or has said nothing. */
  statusOf(id: string): Status | undefined {
    const bytes = this.#roster.records.get(id)?.status;
    return bytes && fromBinary(StatusSchema, bytes);
  }

  /** The tenant of a node: empty when it belongs to none, undefined when there is no such node. */
  tenantOf(id: string): string | undefined {
    return this.#roster.records.get(id)?.tenant;
  }

  /** The failure of whoever asks for a node that is not there. */
  unknown(id: string): Failure {
    return unknownNode(id);
  }

  /** The ids of the nodes whose labels meet these requirements, in order; of one tenant, or of all. */
  matching(requirements: readonly Requirement[], tenant?: string): string[] {
    return [...this.#roster.records.values()]
      .filter((one) => (tenant === undefined || one.tenant === tenant) && meets(one.labels, requirements))
      .map(({ id }) => id)
      .sort();
  }

  /** Gives a node to a tenant, or to none when it is empty. @throws {Failure} not_found. */
  async setTenant(id: string, tenant: string): Promise<FleetNode> {
    return await this.#change(id, async (tx) => {
      await tx.run("UPDATE nodes SET tenant = $2 WHERE id = $1", id, tenant);
      return { tenant };
    });
  }

  /**
   * Makes all certificates that a node has worthless, on disk when it resolves: its line is cut, and it is let in again when it has
   * enrolled anew. @throws {Failure} not_found.
   */
  async revoke(id: string): Promise<FleetNode> {
    const revokedAt = this.#clock.now();
    const revoked = await this.#change(id, async (tx) => {
      await tx.run("UPDATE nodes SET revoked_at = $2 WHERE id = $1", id, revokedAt);
      return { revokedAt };
    });
    for (const witness of this.#witnesses) witness.cut?.(id);
    return revoked;
  }

  /** Whether a node's certificates were revoked. */
  isRevoked(id: string): boolean {
    return (this.#roster.records.get(id)?.revokedAt ?? 0) > 0;
  }

  /** Changes the labels of a node. @throws {Failure} not_found; invalid, exhausted: as `changeLabels`. */
  async label(id: string, change: LabelChange): Promise<FleetNode> {
    return await this.#change(id, async (tx) => ({ labels: await changeLabels(tx, id, change) }));
  }

  /** How a node was removed, if it was. */
  removalOf(id: string): Removal | undefined {
    return this.#roster.removed.get(id);
  }

  /** Has `witness` told of every removal. For the rooms that keep something of a node. */
  witnessRemovals(witness: RemovalWitness): void {
    this.#witnesses.push(witness);
  }

  /** Within a transaction about the node, where another replica may just have removed it. @throws {Failure} not_found. */
  async mustBeThere(tx: Tx, id: string): Promise<void> {
    this.#known(id);
    if (this.#replicas.isAlone) return;
    if (!(await tx.get("SELECT 1 FROM nodes WHERE id = $1", id))) throw unknownNode(id);
  }

  /** The replica that has a node's line; undefined when none has, or when it is this one. */
  ownerElsewhere(id: string): string | undefined {
    const { owner = "", connected } = this.#roster.records.get(id) ?? {};
    return connected && owner !== "" && owner !== this.#replicas.id ? owner : undefined;
  }

  /** Whether the owner of an expired certificate may have the next one. */
  mayRenew(id: string, certificateIssuedAt: number): Outcast | undefined {
    const record = this.#roster.records.get(id);
    if (!record) return this.#roster.removed.has(id) ? "removed" : "unknown";
    if (record.revokedAt > 0) return "revoked";
    const isOld = isReplaced(record.certificateIssuedAt, certificateIssuedAt, this.#clock.now());
    return isOld ? "replaced" : undefined;
  }

  /** Tells operators about something that they should look at, as a sentence. Shown for a day. */
  warn(id: string, warning: string): void {
    this.presence.warn(id, warning);
  }

  /** Changes a node in the store, then as `work` says here, and has all who look see it. @throws {Failure} not_found; what `work` does. */
  async #change(id: string, work: (tx: Tx) => Promise<Partial<NodeRecord>>): Promise<FleetNode> {
    const changed = await this.#store.write(
      async (tx) => {
        this.#known(id);
        return { ...(await work(tx)), revision: await touchNode(tx, id) };
      },
      [`node ${id}`],
    );
    const record = Object.assign(this.#known(id), changed);
    this.#changed(id);
    return toFleetNode(record, this.#clock.now());
  }

  #changed(id: string): void {
    this.#roster.feed.touch(id);
    this.#replicas.tell("fleet", ["nodes"]);
  }

  #known(id: string): NodeRecord {
    const record = this.#roster.records.get(id);
    if (!record) throw unknownNode(id);
    return record;
  }
}

function unknownNode(id: string): Failure {
  return failure("not_found", `node ${id} is not in the fleet: see \`orchestrator node list\``);
}
