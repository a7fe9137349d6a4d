import type { Message, MessageInitShape } from "@bufbuild/protobuf";
import type { Caller, ContainerAsk, PolicyTotalsSchema } from "../../../gen/edge/v1/policy_pb.ts";

/** What is judged. */
export type Asked = AskedCommand | AskedContainer;

/** A command by its name in the contract, as in `deploy_agent`, or what the broker is asked, as in `publish`. */
export interface AskedCommand {
  command: string;
  request?: Message | undefined;
  /** What it is about, as in `agent/poet`. */
  subject?: string;
}

/** A container that is to be made; `containerAskOf` makes it of a wish. */
export interface AskedContainer {
  container: ContainerAsk;
  /** What is there already; counted when absent. A wish of which no container is made yet is judged by `{}`. */
  totals?: MessageInitShape<typeof PolicyTotalsSchema>;
}

/** Who decides. */
export interface Decider {
  /**
   * Returns when it is allowed. Otherwise the denial is an event and an entry of the audit trail, and nothing was done.
   * @throws {Failure} denied: every rule that denies is a violation, with the field that it is about. Its word is `quota` when
   * only quotas of what is there deny, so that the same may be allowed a little later. exhausted, unavailable: the disk does
   * not take the entry.
   */
  decide(caller: Caller, asked: Asked, commandId?: string): void;
}
