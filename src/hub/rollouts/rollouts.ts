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
import { type Choice, nodesOf } from "./chosen.ts";
import { forgetOld, listRollouts, readRollout, unknownRollout } from "./kept.ts";
import { type Ground, Live } from "./live.ts";
import { mustBeFree, steer, undo } from "./orders.ts";
import { commandIdOf, commandOf, courseOf, hashOf, partOf } from "./request.ts";
import { insertRollout } from "./rows.ts";

export interface RolloutsOptions {
  store: Store;
  fleet: Fleet;
  commands: Commands;
  clock: Clock;
  log: Logger;
  /** The selector of a tenant's group. @throws {Failure} not_found. */
  selectorOf?: (group: string, tenant: string) => Promise<string>;
  /** How long nodes have to come back when the hub begins, in milliseconds. */
  settleMs?: number;
  /** How often a watcher is told at most, in milliseconds. */
  watchPaceMs?: number;
}

/** Who asks: the actor of what is done, and the tenant that it is done for; undefined for the whole hub. */
export interface Asker {
  actor: string;
  tenant?: string | undefined;
}

/** How often the hub looks for nodes that are late or healthy, and for rollouts that another replica began, in milliseconds. */
const lookEveryMs = 1000;
/** A node that waits the longest dials within a minute; the rest is for a hub that lets in no more than it can at once. */
const defaultSettleMs = 90_000;
/** Calls about one rollout that may wait for one another. */
const waitingLimit = 100;

/** The rollouts of this hub. */
export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ground: Ground;
  /** Those that are under way, as far as they were seen. */
  readonly #live = new Map<string, Live>();
  readonly #lanes = new Lanes(waitingLimit);
  readonly #wakes = new Changes();

  private constructor(options: RolloutsOptions) {
    const { store, fleet, commands, clock, settleMs = defaultSettleMs } = options;
    this.#options = options;
    this.#store = store;
    this.#clock = clock;
    this.#log = options.log;
    const settledAt = clock.elapsed() + settleMs;
    const settled = () => clock.elapsed() >= settledAt;
    this.#ground = { store, fleet, commands, now: () => clock.now(), settled };
    commands.listen((ids) => this.#touched(ids));
  }

  /** The rollouts as the store has them. Nothing goes on before `run`. */
  static async open(options: RolloutsOptions): Promise<Rollouts> {
    const rollouts = new Rollouts(options);
    await rollouts.#find();
    return rollouts;
  }

  /** Drives the rollouts that are under way, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const look = async (stop: AbortSignal) => {
      for (;;) {
        await this.#clock.sleep(lookEveryMs, stop);
        await this.look().catch((error: unknown) => {
          this.#log.error({ error }, "rollouts could not be looked for; it is tried again");
        });
      }
    };
    const drive = async (stop: AbortSignal) => {
      for await (const _ of this.#wakes.wakes(stop)) await this.advance();
    };
    await runTasks(signal, look, drive);
  }

  /** Looks at all rollouts that are under way, whoever began or moved them, and does what can be done of them now. */
  async look(): Promise<void> {
    await this.#find();
    for (const live of this.#live.values()) live.touchAll();
    await this.advance();
  }

  /** Does what can be done now of those that are known here. */
  async advance(): Promise<void> {
    await Promise.all([...this.#live.values()].map((live) => this.#drive(live)));
  }

  /**
   * Begins a rollout; on disk when it resolves, and driven by `run` from then on. The same id with an equal request is the same success.
   * @throws {Failure} invalid, not_found, conflict, exhausted.
   */
  async start(request: StartRolloutRequest, { actor, tenant }: Asker): Promise<Rollout> {
    const { id, wishes } = request;
    if (!wishes) throw invalidField("wishes", "is required");
    const asked = { requestSha256: hashOf(request), tenant: tenant ?? "" };
    if (await this.#isKnown((text) => this.#store.read(text, id), id, asked)) return await this.get(id);
    const nodeIds = await nodesOf(request, this.#choice(tenant));
    const record = { ...courseOf(request, nodeIds.length), id, actor, wishes, tenant: asked.tenant };
    checkCommand(commandOf(commandIdOf(id, nodeIds.length), wishes, record), "this hub");
    const isNew = await this.#store.write(
      async (tx) => {
        if (await this.#isKnown((text) => tx.all(text, id), id, asked)) return false;
        await mustBeFree(tx, nodeIds);
        await forgetOld(tx);
        await insertRollout(tx, { record, ...asked, nodeIds, now: this.#clock.now() });
        return true;
      },
      ["rollouts"],
    );
    if (isNew) {
      this.#begin(id);
      this.#log.info({ rollout: id, nodes: nodeIds.length, batch: record.batch, actor }, "rollout began");
    }
    return await this.get(id);
  }

  /** One rollout. @throws {Failure} not_found. */
  get(id: string): Promise<Rollout> {
    return readRollout(this.#store, id);
  }

  /** The tenant of a rollout: empty when it is nobody's in particular, undefined when there is none. */
  async tenantOf(id: string): Promise<string | undefined> {
    const [row] = await this.#store.read("SELECT tenant FROM rollouts WHERE id = $1", id);
    return row && String(row.tenant);
  }

  /** Refuses to have a node taken from under a rollout. @throws {Failure} conflict. */
  async mustBeFree(nodeId: string): Promise<void> {
    const [row] = await this.#store.read(
      `SELECT r.id FROM rollouts r JOIN rollout_nodes n ON n.rollout_id = r.id
       WHERE r.finished_at IS NULL AND n.node_id = $1`,
      nodeId,
    );
    if (row)
      throw failure("conflict", `node ${nodeId} is in the rollout ${row.id}, which is under way: await it`);
  }

  /** The failure of whoever asks for a rollout that is not here. */
  unknown(id: string): Error {
    return unknownRollout(id);
  }

  /** Rollouts without their nodes, newest first; of a tenant, or all. Limit 0 means 100. */
  list(limit: number, tenant?: string): Promise<Rollout[]> {
    return listRollouts(this.#store, { limit, tenant });
  }

  /**
   * The rollout now, then after each change, coalesced; ends after it has ended, or when the signal is aborted.
   * @throws {Failure} not_found.
   */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<Rollout> {
    const live = this.#live.get(id);
    if (!live) await this.#find(); // Another replica may have begun it just now.
    const found = this.#live.get(id);
    if (!found) {
      yield await this.get(id);
      return;
    }
    const { watchPaceMs = 250 } = this.#options;
    for await (const _ of found.changes.wakes(signal)) {
      const rollout = await this.get(id);
      yield rollout;
      if (rollout.finishedAt) return;
      await this.#clock.sleep(watchPaceMs, signal).catch(() => {});
    }
  }

  /** Calls a rollout off; one that has ended stays as it is. @throws {Failure} not_found. */
  cancel(id: string, actor: string): Promise<Rollout> {
    return this.#order(
      id,
      (tx) => steer(tx, id, { column: "called_off_by", by: actor }),
      "called off",
      actor,
    );
  }

  /** Holds a rollout: no node begins. @throws {Failure} not_found. */
  pause(id: string, actor: string): Promise<Rollout> {
    return this.#order(id, (tx) => steer(tx, id, { column: "paused_by", by: actor }), "held", actor);
  }

  /** Goes on with a rollout that is held. @throws {Failure} not_found. */
  resume(id: string, actor: string): Promise<Rollout> {
    return this.#order(id, (tx) => steer(tx, id, { column: "paused_by", by: "" }), "resumed", actor);
  }

  /** Brings back what each node had. @throws {Failure} not_found, conflict, unavailable: see the contract. */
  rollBack(id: string, actor: string): Promise<Rollout> {
    return this.#order(id, (tx) => undo(tx, id, actor), "rolled back", actor);
  }

  /** Keeps what somebody decides of a rollout, and does what follows from it now. */
  async #order(
    id: string,
    keep: (tx: Tx) => Promise<boolean>,
    what: string,
    actor: string,
  ): Promise<Rollout> {
    const isChanged = await this.#store.write(keep, ["rollouts", `rollout ${id}`]);
    if (isChanged) {
      this.#log.info({ rollout: id, actor }, `rollout ${what}`);
      await this.#drive(this.#begin(id));
    }
    return await this.get(id);
  }

  /** Takes up the rollouts that are under way in the store and not yet here. */
  async #find(): Promise<void> {
    const rows = await this.#store.read("SELECT id FROM rollouts WHERE finished_at IS NULL ORDER BY number");
    for (const { id } of rows) if (!this.#live.has(String(id))) this.#begin(String(id));
  }

  #begin(id: string): Live {
    const live = this.#live.get(id) ?? new Live(this.#ground, id);
    this.#live.set(id, live);
    this.#wakes.notify();
    return live;
  }

  /** Does what can be done of one rollout now. What the disk does not take is tried again with the next look. */
  async #drive(live: Live): Promise<void> {
    const { id } = live;
    try {
      const isOver = await this.#lanes.run(id, () => live.advance());
      if (!isOver || this.#live.get(id) !== live) return;
    } catch (error) {
      this.#log.error({ rollout: id, error }, "rollout could not go on; it is tried again");
      return;
    }
    this.#live.delete(id);
    this.#log.info({ rollout: id }, "rollout ended");
  }

  /** Whether there is this very rollout. @throws {Failure} conflict: there is another one of this id. */
  async #isKnown(
    read: (text: string) => Promise<{ request_sha256?: unknown; tenant?: unknown }[]>,
    id: string,
    { requestSha256, tenant }: { requestSha256: Uint8Array; tenant: string },
  ): Promise<boolean> {
    const [row] = await read("SELECT request_sha256, tenant FROM rollouts WHERE id = $1");
    if (!row) return false;
    const of = row.request_sha256;
    const isSame =
      of instanceof Uint8Array && Buffer.compare(of, requestSha256) === 0 && row.tenant === tenant;
    if (isSame) return true;
    throw failure("conflict", `the rollout id ${id} belongs to another rollout: choose a new one`);
  }

  #choice(tenant: string | undefined): Choice {
    const { fleet, selectorOf } = this.#options;
    return {
      ...{ fleet, tenant },
      selectorOf: async (group) => {
        if (selectorOf) return await selectorOf(group, tenant ?? "");
        throw failure("not_found", `there is no group ${group} here`);
      },
    };
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
