import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Commands } from "../commands/index.ts";
import type { Authority, ServerCertificate } from "../enrolment/index.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Reports } from "../reports/index.ts";

export interface LineOptions {
  /** Address to listen at; `::` for all. */
  host: string;
  /** 0 takes any free port: see `Line.port`. */
  port: number;
  authority: Pick<Authority, "rootPem" | "trustDomain">;
  certificate: Pick<ServerCertificate, "current" | "onChange">;
  fleet: Fleet;
  commands: Commands;
  reports: Reports;
  clock: Clock;
  log: Logger;
  /** Time between beats of a small fleet, in milliseconds. */
  beatMs?: number;
  /** Streams that are let in within a second; the others are told to come back. */
  acceptPerSecond?: number;
  /** Uniform in [0, 1). */
  random?: () => number;
}

/** The listener and its sessions. */
export class Line implements AsyncDisposable {
  /** Listens when it resolves. @throws {Failure} conflict: the port is taken. unavailable: the address is not ours. */
  static async open(options: LineOptions): Promise<Line> {
    throw new Error(`not yet ${options.port}`);
  }

  /** Where it listens. */
  get port(): number {
    return 0;
  }

  /** Nodes that are connected. */
  get connected(): number {
    return 0;
  }

  /** Beats, and cuts the lines of nodes that are not heard, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    throw new Error(`not yet ${signal.aborted}`);
  }

  /**
   * Asks a connected node for something that changes nothing; neither kept nor repeated.
   * @throws {Failure} not_found: the node. unavailable: it is away, or went away. exhausted: too many reads of it at once.
   * deadline: it did not answer within the command's budget. Rejects with the signal's reason.
   */
  async read(nodeId: string, command: Command, signal: AbortSignal): Promise<Result> {
    throw new Error(`not yet ${nodeId} ${command.id} ${signal.aborted}`);
  }

  /** Lets nobody in any more, tells all nodes to come back later, and resolves when they are gone or 5 seconds are over. */
  async drain(reason: string): Promise<void> {
    throw new Error(`not yet ${reason}`);
  }

  /** Cuts what is left and frees the port. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
