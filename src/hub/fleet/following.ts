import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Row } from "../../base/sql.ts";
import type { Replicas } from "../replicas/index.ts";
import type { Store } from "../store/index.ts";
import { toLabels } from "./labels.ts";
import { type NodeRecord, toRecord } from "./records.ts";
import { type KeptRemoval, toRemoval } from "./removal.ts";
import { lastRevision } from "./revision.ts";
import type { Roster } from "./roster.ts";

export interface FollowingOptions {
  store: Store;
  replicas: Replicas;
  roster: Roster;
  clock: Clock;
  log: Logger;
  /** Up to where the roster is as the store. */
  revision: number;
  /** Another replica let in a newer stream of a node that is held here. */
  onOusted: (id: string) => void;
  /** Nobody is said to hold a node that is held here: this replica was taken for dead. */
  onForgotten: (id: string) => void;
  /** Another replica removed a node, or revoked its certificates. */
  onCut: (id: string) => void;
}

/** Hints that come within this time are one look, in milliseconds. */
const paceMs = 100;

/** Keeps the roster as the store is, whichever replica changed that. */
export class Following {
  readonly #options: FollowingOptions;
  readonly #hints = new Changes();
  #seen: number;
  /** One look at a time. */
  #looking: Promise<void> = Promise.resolve();

  constructor(options: FollowingOptions) {
    this.#options = options;
    this.#seen = options.revision;
    options.replicas.hear("fleet", () => this.#hints.notify());
    options.replicas.onLook(() => this.look());
  }

  /** Looks when it is told that something changed, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    for await (const _ of this.#hints.wakes(signal)) {
      await this.look().catch((error: unknown) => log.warn({ error }, "the fleet could not be read"));
      await clock.sleep(paceMs, signal).catch(() => {});
    }
  }

  /** Reads what was written since the last look. @throws {Failure} unavailable. */
  look(): Promise<void> {
    const looked = this.#looking.catch(() => {}).then(() => this.#look());
    this.#looking = looked;
    return looked;
  }

  async #look(): Promise<void> {
    const { store } = this.#options;
    const last = await lastRevision(store);
    if (last <= this.#seen) return;
    const between = [this.#seen, last] as const;
    const nodes = await store.read("SELECT * FROM nodes WHERE revision > $1 AND revision <= $2", ...between);
    const labels = await store.read(
      `SELECT l.* FROM node_labels l JOIN nodes n ON n.id = l.node_id
       WHERE n.revision > $1 AND n.revision <= $2 ORDER BY l.node_id, l.key`,
      ...between,
    );
    const removed = await store.read(
      "SELECT id, workloads, revision FROM removed_nodes WHERE revision > $1 AND revision <= $2",
      ...between,
    );
    await this.#meetOwners(nodes);
    const labelsOf = toLabels(labels);
    for (const row of nodes) this.#changed(toRecord(row, labelsOf.get(String(row.id)) ?? []));
    for (const row of removed) this.#removed(String(row.id), toRemoval(row));
    this.#seen = last;
  }

  async #meetOwners(rows: readonly Row[]): Promise<void> {
    const { replicas } = this.#options;
    const isUnknown = ({ owner }: Row) => owner !== "" && !replicas.knows(String(owner));
    if (rows.some(isUnknown)) await replicas.meet();
  }

  #changed(fresh: NodeRecord): void {
    const { roster, replicas, onOusted, onForgotten, onCut } = this.#options;
    const { id, owner, epoch } = fresh;
    const known = roster.records.get(id);
    if (known && known.revision >= fresh.revision) return;
    if ((roster.removed.get(id)?.revision ?? 0) > fresh.revision) return;
    roster.removed.delete(id);
    fresh.connected = owner !== "" && owner !== replicas.id && replicas.isAlive(owner);
    fresh.pending = known?.pending ?? 0;
    if (fresh.connected) fresh.sample = known?.sample;
    const isRevoked = known?.revokedAt === 0 && fresh.revokedAt > 0;
    const isOusted = known?.isHeld === true && (epoch !== known.epoch || ![replicas.id, ""].includes(owner));
    // What its own stream said is newer here than in the store.
    const isOurs = known?.isHeld === true && !isOusted;
    if (isOurs) {
      const { status, seenAt, changedAt, connected, transport, sample } = known;
      Object.assign(fresh, { status, seenAt, changedAt, connected, transport, sample, isHeld: true });
    }
    if (known) Object.assign(known, fresh);
    else roster.records.set(id, fresh);
    roster.feed.touch(id);
    if (isRevoked) onCut(id);
    if (isOusted) onOusted(id);
    if (isOurs && owner === "") onForgotten(id);
  }

  #removed(id: string, removal: KeptRemoval): void {
    const { roster, onCut } = this.#options;
    const known = roster.records.get(id);
    if (known && known.revision > removal.revision) return;
    roster.removed.set(id, removal);
    if (!roster.records.delete(id)) return;
    roster.feed.touch(id);
    onCut(id);
  }
}
