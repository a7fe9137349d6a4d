import type { RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import { Facts } from "../../base/facts.ts";

/** What happened to a stream of a node. */
export type LineFact =
  /** Its handshake is done, and it has said nothing yet. */
  | { stream: "arrived" }
  | { stream: "welcomed" }
  | { stream: "rejected"; code: RejectCode }
  /** A stream that had been welcomed is over. */
  | { stream: "lost" };

export const lineFacts = new Facts<LineFact>();
