import type { Command, Progress, Result } from "../../../gen/edge/v1/command_pb.ts";
import type { FleetCommand } from "../../../gen/edge/v1/fleet_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { Failure, failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { checkCommand } from "../../wire/commands.ts";
import { defaultExpiryMs } from "../../wire/limits.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Replicas } from "../replicas/index.ts";
import type { Store, Tx } from "../store/index.ts";
import { Board } from "./board.ts";
import { Deliveries } from "./deliveries.ts";
import { joinBoards } from "./elsewhere.ts";
import { callOff, unknownCommand } from "./finish.ts";
import { expireDue, pendingOf } from "./queue.ts";
import { crowded, forgetBefore, makeRoom } from "./room.ts";
import { selectCommands, toFleetCommand } from "./rows.ts";
import { pendingAmong, readStanding, type Standing } from "./standing.ts";
import { enqueue, mustBeKept } from "./submit.ts";

export interface CommandsOptions {
  store: Store;
  fleet: Fleet;
  clock: Clock;
  log: Logger;
  /** The other replicas of this hub, if there are any. */
  replicas?: Replicas | undefined;
  /** What the finished commands of one node may take, in bytes: requests and results. */
  keptBytes?: number;
  /** How long finished commands are kept, in milliseconds. */
  keptMs?: number;
}

/** A command as it is, with its newest progress if the node told any. */
export interface CommandNews {
  command: FleetCommand;
  progress?: Progress;
}

/** See the setting `hub.results_size_per_node`. */
const defaultKeptBytes = 64 << 20;

/** How often the hub looks for commands whose time is over, in milliseconds. */
const expireEveryMs = 1000;
/** How often it looks for results that can be forgotten. */
const forgetEveryMs = 3_600_000;
/** See the setting `hub.results_kept_days`. */
const defaultKeptMs = 7 * 24 * 3_600_000;

/** The queues of all nodes. */
export class Commands {
  /** The side that faces the nodes: for the line and for reports. */
  readonly deliveries: Deliveries;
  readonly #store: Store;
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #board = new Board();
  readonly #keptBytes: number;
  readonly #keptMs: number;

  private constructor(options: CommandsOptions) {
    this.#store = options.store;
    this.#fleet = options.fleet;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#keptBytes = options.keptBytes ?? defaultKeptBytes;
    this.#keptMs = options.keptMs ?? defaultKeptMs;
    this.deliveries = new Deliveries({ ...options, board: this.#board, keptBytes: this.#keptBytes });
    this.#fleet.witnessRemovals({ drop: (tx, nodeId) => this.#drop(tx, nodeId) });
    const { replicas } = options;
    const pendingAmong = (ids: readonly string[]) => this.pendingAmong(ids);
    if (replicas) joinBoards({ ...options, replicas, board: this.#board, pendingAmong });
  }

  /** The queues as the store has them. */
  static async open(options: CommandsOptions): Promise<Commands> {
    const commands = new Commands(options);
    const waiting = await options.store.read(
      "SELECT node_id, COUNT(*) AS n FROM commands WHERE finished_at IS NULL GROUP BY node_id",
    );
    for (const row of waiting) options.fleet.presence.setPending(String(row.node_id), Number(row.n));
    return commands;
  }

  /** Lets commands expire in time and forgets old results, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    for (let forgetAt = 0; !signal.aborted; ) {
      try {
        await this.expire();
        if (this.#clock.elapsed() >= forgetAt) {
          forgetAt = this.#clock.elapsed() + forgetEveryMs;
          await this.#forget();
        }
        await this.#clock.sleep(expireEveryMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#log.error({ error }, "commands whose time is over could not be ended; it is tried again");
        await this.#clock.sleep(expireEveryMs, signal).catch(() => {});
      }
    }
  }

  /** Ends the commands whose time is over now. */
  async expire(): Promise<void> {
    const now = this.#clock.now();
    const late = await this.#store.read(
      `SELECT DISTINCT c.node_id FROM commands c JOIN command_queues q ON q.node_id = c.node_id
       WHERE c.finished_at IS NULL AND c.expires_at <= $1 AND c.sequence > q.handed LIMIT 1000`,
      now,
    );
    await Promise.all(late.map((row) => this.#expireOf(String(row.node_id), now)));
  }

  async #expireOf(nodeId: string, now: number): Promise<void> {
    const { expired, pending } = await this.#store.write(
      async (tx) => ({ expired: await expireDue(tx, now, nodeId), pending: await pendingOf(tx, nodeId) }),
      [`node ${nodeId}`],
    );
    this.#fleet.presence.setPending(nodeId, pending);
    this.#board.touched(expired.map(({ id }) => id));
  }

  /**
   * Puts a command into a node's queue; on disk when it resolves. The same id with an equal command is the same success. The
   * command's actor is set to `actor`; `expiresInMs` 0 means 24 hours.
   * @throws {Failure} not_found: the node. invalid, unsupported: the command. exhausted: it is too large, or the queue is
   * full. conflict: the id belongs to another command.
   */
  async submit(
    nodeId: string,
    asked: Command,
    { actor, expiresInMs }: { actor: string; expiresInMs: number },
  ): Promise<FleetCommand> {
    const command = { ...asked, actor };
    checkCommand(command, "this hub");
    mustBeKept(command);
    this.#fleet.mustHave(nodeId);
    const { kept, told } = await this.#store.write(
      async (tx) => {
        this.#fleet.mustHave(nodeId);
        const put = await this.put(tx, nodeId, command, expiresInMs);
        if (put instanceof Failure) throw put;
        return { kept: await read(tx, command.id), told: put.told };
      },
      [`node ${nodeId}`],
    );
    told();
    return kept;
  }

  /**
   * The same within another room's transaction, which is about the node, of a command that `checkCommand` has seen, to a node that is there. `told` is to
   * be called after the commit; a failure says why the queue does not take it, and has changed nothing.
   */
  async put(
    tx: Tx,
    nodeId: string,
    command: Command,
    expiresInMs: number,
  ): Promise<{ isNew: boolean; told: () => void } | Failure> {
    const now = this.#clock.now();
    const attended = this.#board.isAttended(nodeId) || this.#fleet.ownerElsewhere(nodeId) !== undefined;
    await this.#fleet.mustBeThere(tx, nodeId);
    const expiresAt = now + (expiresInMs || defaultExpiryMs);
    const added = await enqueue(tx, nodeId, command, { now, expiresAt, attended });
    if (added instanceof Failure) return added;
    if (added === "known") return { isNew: false, told: () => {} };
    return {
      isNew: true,
      told: () => {
        this.#fleet.presence.setPending(nodeId, added.pending);
        this.#board.wakeNode(nodeId);
      },
    };
  }

  /** One command. @throws {Failure} not_found. */
  async get(id: string): Promise<FleetCommand> {
    const [row] = await this.#store.read(`${selectCommands} WHERE c.id = $1`, id);
    if (!row) throw unknownCommand(id);
    return toFleetCommand(row);
  }

  /** The node that a command is for; undefined when the command is not here. */
  async nodeOf(id: string): Promise<string | undefined> {
    const [row] = await this.#store.read("SELECT node_id FROM commands WHERE id = $1", id);
    return row && String(row.node_id);
  }

  /** The failure of whoever asks for a command that is not here. */
  unknown(id: string): Error {
    return unknownCommand(id);
  }

  /** Where a command is; undefined when it is not here, or no longer. */
  standing(id: string): Promise<Standing | undefined> {
    return readStanding(this.#store, id);
  }

  /** Those of these commands that are here and have no result: of the others there is something to be seen. */
  pendingAmong(ids: readonly string[]): Promise<Set<string>> {
    return pendingAmong(this.#store, ids);
  }

  /** Calls `listener` with the ids of all commands that may have changed, until the returned function is called. */
  listen(listener: (commandIds: readonly string[]) => void): () => void {
    return this.#board.listen(listener);
  }

  /** Commands of a node, newest first; limit 0 means 100. @throws {Failure} not_found: the node. */
  async list(
    nodeId: string,
    { pendingOnly, limit }: { pendingOnly: boolean; limit: number },
  ): Promise<FleetCommand[]> {
    this.#fleet.mustHave(nodeId);
    const rows = await this.#store.read(
      `${selectCommands} WHERE c.node_id = $1 ${pendingOnly ? "AND c.finished_at IS NULL" : ""}
       ORDER BY c.sequence DESC LIMIT $2`,
      nodeId,
      limit || 100,
    );
    return rows.map(toFleetCommand);
  }

  /**
   * Calls a command off. One that the node cannot have is finished at once; else the node is told, now or when it is back,
   * and its result follows. A finished one stays as it is.
   * @throws {Failure} not_found.
   */
  async cancel(id: string): Promise<FleetCommand> {
    const { nodeId } = await this.get(id);
    const { outcome, kept, pending } = await this.#store.write(
      async (tx) => {
        const outcome = await callOff(tx, id, this.#clock.now());
        return { outcome, kept: await read(tx, id), pending: await pendingOf(tx, nodeId) };
      },
      [`node ${nodeId}`],
    );
    this.#fleet.presence.setPending(nodeId, pending);
    if (outcome === "here") this.#board.touched([id]);
    if (outcome === "node") this.#board.wakeNode(nodeId);
    return kept;
  }

  /**
   * The command now, then after each change, coalesced; ends after the one with a result, or when the signal is aborted.
   * @throws {Failure} not_found, also when the node is removed meanwhile.
   */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<CommandNews> {
    for await (const _ of this.#board.wakes(id, signal)) {
      const command = await this.get(id);
      const progress = this.#board.progressOf(command.nodeId, id);
      yield progress ? { command, progress } : { command };
      if (command.result) return;
    }
  }

  /** The command's result, as soon as there is one. Rejects with the signal's reason. @throws {Failure} as `watch`. */
  async result(id: string, signal: AbortSignal): Promise<Result> {
    for await (const { command } of this.watch(id, signal)) {
      if (command.resultDropped)
        throw failure("unavailable", `command ${id} was done, and its answer is no longer kept`);
      if (command.result) return command.result;
    }
    signal.throwIfAborted();
    throw new Error("a watch ended without a result");
  }

  /** A removed node's queue goes with it. Who waits for one of its commands is told that it is not there. */
  async #drop(tx: Tx, nodeId: string): Promise<() => void> {
    const waiting = await tx.all(
      "SELECT id FROM commands WHERE node_id = $1 AND finished_at IS NULL",
      nodeId,
    );
    await tx.run("DELETE FROM commands WHERE node_id = $1", nodeId);
    await tx.run("DELETE FROM command_queues WHERE node_id = $1", nodeId);
    return () => {
      this.#board.forgetNode(nodeId);
      this.#board.touched(waiting.map((row) => String(row.id)));
    };
  }

  async #forget(): Promise<void> {
    await forgetBefore(this.#store, this.#clock.now() - this.#keptMs);
    for (const nodeId of await crowded(this.#store, this.#keptBytes)) {
      await this.#store.write((tx) => makeRoom(tx, nodeId, this.#keptBytes), [`node ${nodeId}`]);
    }
  }
}

async function read(tx: Tx, id: string): Promise<FleetCommand> {
  const row = await tx.get(`${selectCommands} WHERE c.id = $1`, id);
  if (!row) throw unknownCommand(id);
  return toFleetCommand(row);
}
