import type { Command, Progress, Result } from "../../../gen/edge/v1/command_pb.ts";
import type { FleetCommand } from "../../../gen/edge/v1/fleet_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Store } from "../store/index.ts";

export interface CommandsOptions {
  store: Store;
  fleet: Fleet;
  clock: Clock;
  log: Logger;
}

/** A command with its place in the node's queue. */
export interface Delivery {
  sequence: number;
  command: Command;
}

/** A command as it is, with its newest progress if the node told any. */
export interface CommandNews {
  command: FleetCommand;
  progress?: Progress;
}

/** The queues of all nodes. */
export class Commands {
  /** The queues as the store has them. */
  static async open(options: CommandsOptions): Promise<Commands> {
    throw new Error(`not yet ${options.clock.now()}`);
  }

  /** Lets commands expire in time and forgets old ones, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    throw new Error(`not yet ${signal.aborted}`);
  }

  /**
   * Puts a command into a node's queue; on disk when it resolves. The same id with an equal command is the same success. The
   * command's actor is set to `actor`; `expiresInMs` 0 means 24 hours.
   * @throws {Failure} not_found: the node. invalid, unsupported: the command. exhausted: it is too large, or the queue is
   * full. conflict: the id belongs to another command.
   */
  async submit(
    nodeId: string,
    command: Command,
    options: { actor: string; expiresInMs: number },
  ): Promise<FleetCommand> {
    throw new Error(`not yet ${nodeId} ${command.id} ${options.actor}`);
  }

  /** One command. @throws {Failure} not_found. */
  async get(id: string): Promise<FleetCommand> {
    throw new Error(`not yet ${id}`);
  }

  /** Commands of a node, newest first; limit 0 means 100. @throws {Failure} not_found: the node. */
  async list(nodeId: string, options: { pendingOnly: boolean; limit: number }): Promise<FleetCommand[]> {
    throw new Error(`not yet ${nodeId} ${options.limit}`);
  }

  /**
   * Calls a command off. One that no node can have yet is finished at once; else the node is told, and its result follows.
   * @throws {Failure} not_found.
   */
  async cancel(id: string): Promise<FleetCommand> {
    throw new Error(`not yet ${id}`);
  }

  /**
   * The command now, then after each change, coalesced; ends after the one with a result, or when the signal is aborted.
   * @throws {Failure} not_found, also when the node is removed meanwhile.
   */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<CommandNews> {
    throw new Error(`not yet ${id} ${signal.aborted}`);
  }

  /** The command's result, as soon as there is one. Rejects with the signal's reason. @throws {Failure} as `watch`. */
  async result(id: string, signal: AbortSignal): Promise<Result> {
    throw new Error(`not yet ${id} ${signal.aborted}`);
  }
}
