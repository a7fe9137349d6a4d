import type { Message } from "@bufbuild/protobuf";
import type { Caller, ContainerAsk } from "../../../gen/edge/v1/policy_pb.ts";

/** What is judged: a command by its name in the contract, as in `deploy_agent` or `publish`, or a container that is to be made. */
export type Asked =
  | { command: string; request?: Message | undefined; subject?: string }
  | { container: ContainerAsk };

/** Who decides. */
export interface Decider {
  /**
   * Returns when it is allowed. Otherwise the denial is an event and an entry of the audit trail, and nothing was done.
   * @throws {Failure} denied: every rule that denies is a violation, with the field that it is about.
   */
  decide(caller: Caller, asked: Asked, commandId?: string): void;
}
