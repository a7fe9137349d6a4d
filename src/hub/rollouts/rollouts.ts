import type { Rollout, StartRolloutRequest } from "../../../gen/edge/v1/rollouts_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { failure, invalidField } from "../../base/failure.ts";
import { Lanes } from "../../base/lanes.ts";
import type { Logger } from "../../base/log.ts";
import { runTasks } from "../../base/tasks.ts";
import { checkCommand } from "../../wire/commands.ts";
import type { Commands } from "../commands/index.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Store, Tx } from "../store/index.ts";
import { forgetOld, listRollouts, readRollout, unknownRollout } from "./kept.ts";
import { type Ground, Live } from "./live.ts";
import { commandIdOf, commandOf, courseOf, hashOf, nodesOf, partOf } from "./request.ts";
import { insertRollout, toPart, toRecord } from "./rows.ts";

export interface RolloutsOptions {
  store: Store;
  fleet: Fleet;
  commands: Commands;
  clock: Clock;
  log: Logger;
  /** How long nodes have to come back when the hub begins, in milliseconds. */
  settleMs?: number;
  /** How often a watcher is told at most, in milliseconds. */
  watchPaceMs?: number;
}

/** Rollouts that may be under way at once. */
const underWayLimit = 100;
/** How often the hub looks for nodes that are late, in milliseconds, while a rollout is under way. */
const lookEveryMs = 1000;
/** A node that waits the longest dials within a minute; the rest is for a hub that lets in no more than it can at once. */
const defaultSettleMs = 90_000;
/** Calls about one rollout that may wait for one another. */
const waitingLimit = 100;

/** The rollouts of this hub. */
export class Rollouts {
  readonly #store: Store;
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #watchPaceMs: number;
  readonly #ground: Ground;
  /** Those that are under way. */
  readonly #live = new Map<string, Live>();
  readonly #lanes = new Lanes(waitingLimit);
  readonly #wakes = new Changes();

  private constructor(options: RolloutsOptions) {
    const { store, fleet, commands, clock, settleMs = defaultSettleMs } = options;
    this.#store = store;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#log = options.log;
    this.#watchPaceMs = options.watchPaceMs ?? 250;
    const settledAt = clock.elapsed() + settleMs;
    const settled = () => clock.elapsed() >= settledAt;
    this.#ground = { store, fleet, commands, now: () => clock.now(), settled };
    commands.listen((ids) => this.#touched(ids));
  }

  /** The rollouts as the store has them. Nothing goes on before `run`. */
  static async open(options: RolloutsOptions): Promise<Rollouts> {
    const rollouts = new Rollouts(options);
    const rows = await options.store.read("SELECT * FROM rollouts WHERE finished_at IS NULL ORDER BY number");
    for (const row of rows) {
      const nodes = await options.store.read(
        "SELECT * FROM rollout_nodes WHERE rollout_id = $1 ORDER BY place",
        String(row.id),
      );
      const at = { parts: nodes.map(toPart), reason: String(row.reason) };
      rollouts.#live.set(String(row.id), new Live(rollouts.#ground, toRecord(row), at));
    }
    return rollouts;
  }

  /** Drives the rollouts that are under way, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const look = async (stop: AbortSignal) => {
      for (;;) {
        await this.#clock.sleep(lookEveryMs, stop);
        if (this.#live.size > 0) this.#wakes.notify();
      }
    };
    const drive = async (stop: AbortSignal) => {
      for await (const _ of this.#wakes.wakes(stop)) await this.advance();
    };
    await runTasks(signal, look, drive);
  }

  /** Does what can be done now of all rollouts that are under way. */
  async advance(): Promise<void> {
    await Promise.all([...this.#live.values()].map((live) => this.#drive(live)));
  }

  /**
   * Begins a rollout; on disk when it resolves, and driven by `run` from then on. The same id with an equal request is the same success.
   * @throws {Failure} invalid, not_found, conflict, exhausted.
   */
  async start(request: StartRolloutRequest, actor: string): Promise<Rollout> {
    const { id, wishes } = request;
    if (!wishes) throw invalidField("wishes", "is required");
    const requestSha256 = hashOf(request);
    const [known] = await this.#store.read("SELECT request_sha256 FROM rollouts WHERE id = $1", id);
    if (known) return await this.#again(id, known.request_sha256, requestSha256);

    const nodeIds = nodesOf(request, this.#fleet);
    const record = { ...courseOf(request, nodeIds.length), id, actor, wishes };
    checkCommand(commandOf(commandIdOf(id, nodeIds.length), wishes, record), "this hub");
    const other = await this.#store.write(
      async (tx) => {
        const other = await tx.get("SELECT request_sha256 FROM rollouts WHERE id = $1", id);
        if (other) return other;
        await mustBeFree(tx, nodeIds);
        await forgetOld(tx);
        await insertRollout(tx, { record, requestSha256, nodeIds, now: this.#clock.now() });
        return undefined;
      },
      ["rollouts"],
    );
    if (other) return await this.#again(id, other.request_sha256, requestSha256);
    const parts = nodeIds.map((nodeId, place) => ({ place, nodeId, state: "waiting" as const }));
    const live = new Live(this.#ground, record, { parts, reason: "" });
    this.#live.set(id, live);
    this.#log.info({ rollout: id, nodes: parts.length, batch: record.batch, actor }, "rollout began");
    this.#wakes.notify();
    return await this.get(id);
  }

  /** One rollout. @throws {Failure} not_found. */
  get(id: string): Promise<Rollout> {
    return readRollout(this.#store, id);
  }

  /** Rollouts without their nodes, newest first; limit 0 means 100. */
  list(limit: number): Promise<Rollout[]> {
    return listRollouts(this.#store, limit);
  }

  /**
   * The rollout now, then after each change, coalesced; ends after it has ended, or when the signal is aborted.
   * @throws {Failure} not_found.
   */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<Rollout> {
    const live = this.#live.get(id);
    if (!live) {
      yield await this.get(id);
      return;
    }
    for await (const _ of live.changes.wakes(signal)) {
      const rollout = await this.get(id);
      yield rollout;
      if (rollout.finishedAt) return;
      await this.#clock.sleep(this.#watchPaceMs, signal).catch(() => {});
    }
  }

  /** Calls a rollout off; one that has ended stays as it is. @throws {Failure} not_found. */
  async cancel(id: string, actor: string): Promise<Rollout> {
    const live = this.#live.get(id);
    if (live) {
      await this.#lanes.run(id, () => this.#callOff(live, actor));
      await this.#drive(live);
    }
    return await this.get(id);
  }

  async #callOff(live: Live, actor: string): Promise<void> {
    const { record } = live;
    if (live.state !== "running" || record.calledOffBy !== "") return;
    await this.#store.write(
      async (tx) => {
        const changed = await tx.run(
          "UPDATE rollouts SET called_off_by = $2 WHERE id = $1",
          record.id,
          actor,
        );
        if (changed === 0) throw unknownRollout(record.id);
      },
      [`rollout ${record.id}`],
    );
    live.record = { ...record, calledOffBy: actor };
    this.#log.info({ rollout: record.id, actor }, "rollout called off");
  }

  /** Does what can be done of one rollout now. What the disk does not take is tried again with the next look. */
  async #drive(live: Live): Promise<void> {
    const { id } = live.record;
    try {
      await this.#lanes.run(id, () => live.advance());
    } catch (error) {
      this.#log.error({ rollout: id, error }, "rollout could not go on; it is tried again");
      return;
    }
    if (live.state === "running" || !this.#live.delete(id)) return;
    this.#log.info({ rollout: id, state: live.state }, "rollout ended");
  }

  async #again(id: string, of: unknown, requestSha256: Uint8Array): Promise<Rollout> {
    if (of instanceof Uint8Array && Buffer.compare(of, requestSha256) === 0) return await this.get(id);
    throw failure("conflict", `the rollout id ${id} belongs to another rollout: choose a new one`);
  }

  #touched(commandIds: readonly string[]): void {
    if (this.#live.size === 0) return;
    for (const commandId of commandIds) {
      const { rolloutId, place } = partOf(commandId);
      const live = this.#live.get(rolloutId);
      if (!live) continue;
      live.touch(place);
      this.#wakes.notify();
    }
  }
}

/** @throws {Failure} conflict: a node is in another rollout. exhausted: too many rollouts are under way. */
async function mustBeFree(tx: Tx, nodeIds: readonly string[]): Promise<void> {
  const row = await tx.get("SELECT COUNT(*) AS n FROM rollouts WHERE finished_at IS NULL");
  if (Number(row?.n) >= underWayLimit) {
    throw failure(
      "exhausted",
      `${underWayLimit} rollouts are under way: try again when one has ended, or call one off`,
    );
  }
  const busy = await tx.all(
    `SELECT n.node_id, n.rollout_id FROM rollouts r JOIN rollout_nodes n ON n.rollout_id = r.id
     WHERE r.finished_at IS NULL`,
  );
  const rolloutOf = new Map(busy.map((row) => [String(row.node_id), String(row.rollout_id)]));
  const taken = nodeIds.find((nodeId) => rolloutOf.has(nodeId));
  if (taken === undefined) return;
  throw failure(
    "conflict",
    `node ${taken} is in the rollout ${rolloutOf.get(taken)}, which is under way: await it, or call it off`,
  );
}
