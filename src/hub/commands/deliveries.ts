import type { Command, Progress, Result } from "../../../gen/edge/v1/command_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Row } from "../../base/sql.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Store, Tx } from "../store/index.ts";
import type { Board } from "./board.ts";
import { commandFacts } from "./facts.ts";
import { finishFromNode } from "./finish.ts";
import { expireDue, pendingOf, queueOf, resume, saveQueue } from "./queue.ts";
import { isLarge, makeRoom } from "./room.ts";
import { toCommand } from "./rows.ts";

/** A command with its place in the node's queue. */
export interface Delivery {
  sequence: number;
  command: Command;
  /** Wall time in milliseconds. */
  queuedAt: number;
}

export interface DeliveriesOptions {
  store: Store;
  fleet: Fleet;
  clock: Clock;
  board: Board;
  /** What finished commands of one node may take. */
  keptBytes: number;
}

/** The queues as a line sees them: what to send next, and what a node says about what it got. */
export class Deliveries {
  readonly #store: Store;
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #board: Board;
  readonly #keptBytes: number;

  constructor({ store, fleet, clock, board, keptBytes }: DeliveriesOptions) {
    this.#store = store;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#board = board;
    this.#keptBytes = keptBytes;
  }

  /** Calls `listener` when something new waits for the node. To be called while its line is up, and ended with it. */
  attend(nodeId: string, listener: () => void): () => void {
    return this.#board.listenNode(nodeId, listener);
  }

  /**
   * A node is back, and says the highest sequence number that is on its disk. See `resume`. `epoch` is that of its stream.
   * @throws {Failure} conflict: a newer stream has come since, which knows better.
   */
  async resumed(nodeId: string, lastOnNode: number, epoch?: number): Promise<void> {
    const { found, pending } = await this.#store.write(
      async (tx) => {
        if (epoch !== undefined) await this.#fleet.presence.mustHold(tx, nodeId, epoch);
        const found = await resume(tx, nodeId, lastOnNode, this.#clock.now());
        return { found, pending: await pendingOf(tx, nodeId) };
      },
      [`node ${nodeId}`],
    );
    if (found.warning !== undefined) this.#fleet.warn(nodeId, found.warning);
    this.#fleet.presence.setPending(nodeId, pending);
    this.#board.touched(found.touched);
  }

  /**
   * The next commands after a sequence number, in order, at most `max`. That the node may have them is on disk when this
   * resolves, so that none of them expires unseen while it is on its way.
   */
  async next(nodeId: string, after: number, max: number): Promise<Delivery[]> {
    const rows = await this.#store.read(
      `SELECT c.sequence, c.command, c.queued_at, q.handed FROM commands c JOIN command_queues q ON q.node_id = c.node_id
       WHERE c.node_id = $1 AND c.sequence > $2 AND c.finished_at IS NULL AND c.expires_at > $3
       ORDER BY c.sequence LIMIT $4`,
      nodeId,
      after,
      this.#clock.now(),
      max,
    );
    const last = rows.at(-1);
    if (!last) return [];
    if (Number(last.sequence) > Number(last.handed)) return await this.#hand(nodeId, after, max);
    return rows.map(toDelivery);
  }

  async #hand(nodeId: string, after: number, max: number): Promise<Delivery[]> {
    const now = this.#clock.now();
    const { handed, expired, pending } = await this.#store.write(
      async (tx) => {
        const expired = await expireDue(tx, now, nodeId);
        const queue = await queueOf(tx, nodeId);
        const rows = await tx.all(
          `SELECT sequence, command, queued_at FROM commands WHERE node_id = $1 AND sequence > $2 AND finished_at IS NULL
           AND expires_at > $3 ORDER BY sequence LIMIT $4`,
          nodeId,
          after,
          now,
          max,
        );
        const handed = Math.max(queue.handed, Number(rows.at(-1)?.sequence ?? 0));
        await saveQueue(tx, nodeId, { ...queue, handed });
        return { handed: rows, expired, pending: await pendingOf(tx, nodeId) };
      },
      [`node ${nodeId}`],
    );
    this.#fleet.presence.setPending(nodeId, pending);
    this.#board.touched(expired.map(({ id }) => id));
    return handed.map(toDelivery);
  }

  /** Commands that were called off after the node may have had them, and that it has not answered. */
  async calledOff(nodeId: string): Promise<{ id: string; sequence: number }[]> {
    const rows = await this.#store.read(
      "SELECT id, sequence FROM commands WHERE node_id = $1 AND finished_at IS NULL AND called_off = 1",
      nodeId,
    );
    return rows.map((row) => ({ id: String(row.id), sequence: Number(row.sequence) }));
  }

  /** The node has all commands up to here on its disk. A number that was never handed out changes nothing beyond those. */
  async acknowledged(nodeId: string, through: number): Promise<void> {
    const touched = await this.#store.write(
      async (tx) => {
        const queue = await queueOf(tx, nodeId);
        const accepted = Math.min(through, queue.handed);
        if (accepted <= queue.accepted) return [];
        await saveQueue(tx, nodeId, { ...queue, accepted });
        return tx.all(
          "SELECT id FROM commands WHERE node_id = $1 AND sequence > $2 AND sequence <= $3 AND finished_at IS NULL",
          nodeId,
          queue.accepted,
          accepted,
        );
      },
      [`node ${nodeId}`],
    );
    this.#board.touched(touched.map((row) => String(row.id)));
  }

  /**
   * Takes a node's result within the transaction that keeps the report of it, which is about the node. `isKnown` is false when this hub has no such
   * command of the node; `told` is to be called after the commit.
   */
  async finished(tx: Tx, nodeId: string, result: Result): Promise<{ isKnown: boolean; told: () => void }> {
    const outcome = await finishFromNode(tx, nodeId, result, this.#clock.now());
    const finished = typeof outcome === "object" ? outcome : undefined;
    const pending = finished ? await pendingOf(tx, nodeId) : undefined;
    if (finished && isLarge(finished.bytes)) await makeRoom(tx, nodeId, this.#keptBytes);
    return {
      isKnown: outcome !== "unknown",
      told: () => {
        if (!finished || pending === undefined) return;
        const seconds = (this.#clock.now() - finished.queuedAt) / 1000;
        commandFacts.tell({ seconds, isFailure: result.outcome.case === "failure" });
        this.#fleet.presence.setPending(nodeId, pending);
        this.#board.forgetProgress(nodeId, result.commandId);
        this.#board.touched([result.commandId]);
      },
    };
  }

  /** A node says how far a command is. Only the newest counts, and none is kept. */
  progressed(nodeId: string, progress: Progress): void {
    this.#board.progressed(nodeId, progress);
  }
}

function toDelivery(row: Row): Delivery {
  return {
    sequence: Number(row.sequence),
    command: toCommand(row),
    queuedAt: Number(row.queued_at),
  };
}
