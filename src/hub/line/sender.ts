import { failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { commandWindow } from "../../wire/limits.ts";
import { beginStep, isTracing, type Span, tracedSince } from "../../wire/tracing.ts";
import type { Deliveries, Delivery } from "../commands/index.ts";

/** Commands that are held in memory for one node. */
const batchSize = 16;

export interface SenderOptions {
  nodeId: string;
  deliveries: Pick<Deliveries, "attend" | "calledOff" | "next" | "acknowledged">;
  log: Logger;
  /** The highest sequence number that the node has. */
  lastCommand: number;
  /** Called when there may be something to send. */
  wake: () => void;
}

/** What a sender wants to be sent. */
export type Next = { deliver: Delivery } | { cancel: string } | undefined;

/** Takes commands from a node's queue: in order, within the window, and each calling off after the command itself. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #stopListening: () => void;
  readonly #cancelled = new Set<string>();
  #cancels: string[] = [];
  #ready: Delivery[] = [];
  /** Sequence numbers that were sent and not acknowledged, ascending. */
  #unacknowledged: number[] = [];
  /** Of traces: the ways of commands that were sent and not acknowledged. */
  readonly #steps = new Map<number, Span>();
  #sent: number;
  #acknowledged: number;
  #mustLook = true;
  /** Whether a look failed, and is to be tried again with the next tick. */
  #isOwed = false;
  /** Whether the last acknowledgement may not be in the store. */
  #isUnkept = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#sent = options.lastCommand;
    this.#acknowledged = options.lastCommand;
    this.#stopListening = options.deliveries.attend(options.nodeId, () => this.#look());
  }

  /** What to send next. Called by the one writer of the stream, and never while a call is under way. */
  async next(): Promise<Next> {
    if (this.#mustLook) {
      this.#mustLook = false;
      try {
        await this.#fill();
      } catch (error) {
        this.#isOwed = true;
        const { log, nodeId } = this.#options;
        log.error({ node: nodeId, error }, "commands could not be taken from the store; it is tried again");
      }
    }
    const cancel = this.#cancels.shift();
    if (cancel !== undefined) return { cancel };
    const deliver = this.#ready.shift();
    if (!deliver) return undefined;
    // What was called off meanwhile must be told after it.
    if (this.#ready.length === 0) this.#mustLook = true;
    this.#sent = deliver.sequence;
    this.#trace(deliver);
    this.#unacknowledged.push(deliver.sequence);
    return { deliver };
  }

  /** The node has all commands up to here on its disk. What says nothing new costs nothing, however often it comes. */
  acknowledged(said: number): void {
    const through = Math.min(said, this.#sent);
    if (through <= this.#acknowledged) return;
    this.#acknowledged = through;
    this.#unacknowledged = this.#unacknowledged.filter((sequence) => sequence > through);
    for (const [sequence, step] of this.#steps) {
      if (sequence > through) continue;
      step.end();
      this.#steps.delete(sequence);
    }
    this.#keep(through);
    this.#look();
  }

  /** Tries again what failed. */
  retry(): void {
    if (this.#isUnkept) this.#keep(this.#acknowledged);
    if (!this.#isOwed) return;
    this.#isOwed = false;
    this.#look();
  }

  /** Looks no more. */
  stop(): void {
    this.#stopListening();
    for (const step of this.#steps.values()) step.end(failure("unavailable", "the line was lost"));
    this.#steps.clear();
  }

  /** The command has left the queue, and is on its way until the node has it. */
  #trace({ sequence, command, queuedAt }: Delivery): void {
    const parent = command.traceparent;
    if (!isTracing() || parent === "") return;
    tracedSince("wait in the queue", queuedAt, { parent });
    const step = beginStep("deliver", { parent, kind: "client" });
    if (step) this.#steps.set(sequence, step);
  }

  #keep(through: number): void {
    const { deliveries, log, nodeId } = this.#options;
    this.#isUnkept = false;
    deliveries.acknowledged(nodeId, through).catch((error: unknown) => {
      this.#isUnkept = true;
      log.error({ node: nodeId, error }, "an acknowledgement could not be written; it is tried again");
    });
  }

  #look(): void {
    this.#mustLook = true;
    this.#options.wake();
  }

  async #fill(): Promise<void> {
    const { deliveries, nodeId } = this.#options;
    for (const { id, sequence } of await deliveries.calledOff(nodeId)) {
      if (sequence > this.#sent || this.#cancelled.has(id)) continue;
      this.#cancelled.add(id);
      this.#cancels.push(id);
    }
    const room = Math.min(batchSize, commandWindow - this.#unacknowledged.length);
    if (this.#ready.length === 0 && room > 0) this.#ready = await deliveries.next(nodeId, this.#sent, room);
  }
}
