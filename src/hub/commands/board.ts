import type { Progress } from "../../../gen/edge/v1/command_pb.ts";
import { Changes } from "../../base/changes.ts";

/** Of how many commands of one node the newest progress is kept; over it, that which was told first is forgotten. */
const progressLimit = 100;

/** What other replicas are told of. */
export interface Others {
  touched(commandIds: readonly string[]): void;
  woken(nodeId: string): void;
  progressed(nodeId: string, progress: Progress): void;
}

/** Who must hear of a change: those who watch a command, and the line of a node. In memory only. */
export class Board {
  #others: Others | undefined;
  readonly #commands = new Keyed();
  readonly #nodes = new Keyed();
  readonly #listeners = new Set<(commandIds: readonly string[]) => void>();
  /** By node, then command: a node that speaks of another's command is not heard, and pushes out none of another's. */
  readonly #progress = new Map<string, Map<string, Progress>>();

  /** Calls `listener` with the ids of all commands that may have changed, until the returned function is called. */
  listen(listener: (commandIds: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` when something new waits for the node, until the returned function is called. */
  listenNode(nodeId: string, listener: () => void): () => void {
    return this.#nodes.listen(nodeId, listener);
  }

  /** Yields at once, then whenever the command may have changed; ends when the signal is aborted. */
  wakes(commandId: string, signal: AbortSignal): AsyncGenerator<void> {
    return this.#commands.wakes(commandId, signal);
  }

  /** From now on, other replicas are told too. */
  tellOthers(others: Others): void {
    this.#others = others;
  }

  /** Something new waits for the node. */
  wakeNode(nodeId: string): void {
    this.wakeHere(nodeId);
    this.#others?.woken(nodeId);
  }

  /** Something new waits for the node, if its line is here. */
  wakeHere(nodeId: string): void {
    this.#nodes.notify(nodeId);
  }

  /** These commands may have changed. */
  touched(commandIds: readonly string[]): void {
    this.heard(commandIds);
    this.#others?.touched(commandIds);
  }

  /** The commands that somebody here waits for. */
  watched(): string[] {
    return this.#commands.keys();
  }

  /** These commands may have changed, at another replica. */
  heard(commandIds: readonly string[]): void {
    for (const id of commandIds) this.#commands.notify(id);
    for (const listener of this.#listeners) listener(commandIds);
  }

  /** Whether a node's line is up: what is submitted now may be on its way at once. */
  isAttended(nodeId: string): boolean {
    return this.#nodes.has(nodeId);
  }

  /** Keeps the newest progress of a command, and tells who watches it. */
  progressed(nodeId: string, progress: Progress): void {
    this.progressedHere(nodeId, progress);
    this.#others?.progressed(nodeId, progress);
  }

  /** The same, of what was told here alone, or came from another replica. */
  progressedHere(nodeId: string, progress: Progress): void {
    const ofNode = this.#progress.get(nodeId) ?? new Map<string, Progress>();
    this.#progress.set(nodeId, ofNode);
    ofNode.delete(progress.commandId);
    ofNode.set(progress.commandId, progress);
    const [oldest] = ofNode.keys();
    if (ofNode.size > progressLimit && oldest !== undefined) ofNode.delete(oldest);
    this.#commands.notify(progress.commandId);
  }

  /** The newest progress of a command, if its own node told any. */
  progressOf(nodeId: string, commandId: string): Progress | undefined {
    return this.#progress.get(nodeId)?.get(commandId);
  }

  /** A command that has its result makes no progress any more. */
  forgetProgress(nodeId: string, commandId: string): void {
    const ofNode = this.#progress.get(nodeId);
    ofNode?.delete(commandId);
    if (ofNode?.size === 0) this.#progress.delete(nodeId);
  }

  /** A node that was removed makes none at all. */
  forgetNode(nodeId: string): void {
    this.#progress.delete(nodeId);
  }
}

/** Changes by key, which cost nothing where nobody listens. */
class Keyed {
  readonly #changes = new Map<string, { changes: Changes; listeners: number }>();

  keys(): string[] {
    return [...this.#changes.keys()];
  }

  has(key: string): boolean {
    return this.#changes.has(key);
  }

  notify(key: string): void {
    this.#changes.get(key)?.changes.notify();
  }

  listen(key: string, listener: () => void): () => void {
    const [changes, release] = this.#hold(key);
    const stop = changes.listen(listener);
    return () => {
      stop();
      release();
    };
  }

  async *wakes(key: string, signal: AbortSignal): AsyncGenerator<void> {
    const [changes, release] = this.#hold(key);
    try {
      yield* changes.wakes(signal);
    } finally {
      release();
    }
  }

  #hold(key: string): [Changes, () => void] {
    const held = this.#changes.get(key) ?? { changes: new Changes(), listeners: 0 };
    this.#changes.set(key, held);
    held.listeners++;
    return [
      held.changes,
      () => {
        if (--held.listeners === 0) this.#changes.delete(key);
      },
    ];
  }
}
