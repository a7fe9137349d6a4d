import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import type { Caller } from "../../../gen/edge/v1/policy_pb.ts";
import type { Failure } from "../../base/failure.ts";

/** What was decided about a command. */
export interface Verdict {
  /** Why it may not be; absent when it may. */
  why?: Failure;
  /**
   * Notes the decision: on disk when this returns, or with the transaction around it.
   * @throws {Failure} exhausted, unavailable: the disk does not take it. Then nothing is done.
   */
  note(): void;
}

/** Judges what is asked before anybody keeps it or carries it out, and is told what came of it. */
export interface Guard {
  /** Decides, and changes nothing. */
  judge(command: Command, caller: Caller): Verdict;
  /** The command has its result. On disk with the transaction around it. @throws {Failure} as `note` does. */
  ended(command: Command, caller: Caller, result: Result): void;
}
