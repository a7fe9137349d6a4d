import { create } from "@bufbuild/protobuf";
import {
  type Hello,
  HelloSchema,
  type NodeFrame,
  type Reject,
  RejectCode,
  RejectSchema,
} from "../../../gen/edge/v1/control_pb.ts";
import { DecommissionRequestSchema } from "../../../gen/edge/v1/node_pb.ts";
import { protocol } from "../../wire/limits.ts";
import { violationsOf } from "../../wire/validation.ts";
import type { Outcast, Removal } from "../fleet/index.ts";

/** After these, the same identity and version may try again. docs/protocol.md tells what a node does with each code. */
const retryable: ReadonlySet<RejectCode> = new Set([
  RejectCode.STALE_EPOCH,
  RejectCode.BUSY,
  RejectCode.EXPIRED,
]);

/** A refusal with its sentence. */
export function reject(code: RejectCode, message: string, retryAfterMs = 0): Reject {
  return create(RejectSchema, { code, message, retryable: retryable.has(code), retryAfterMs });
}

/** What a first frame says that can be served: the hello, and the protocol version to speak. */
export type Admission = { hello: Hello; protocol: number } | { reject: Reject };

/** Decides by the first frame alone. Whether the node belongs to the fleet, and is the newest of its kind, the fleet knows. */
export function admission(body: NodeFrame["body"]): Admission {
  if (body.case !== "hello")
    return bad(`the first frame is ${body.case ?? "of a kind unknown here"}, not Hello`);
  const hello = body.value;
  if (hello.protocolMin > hello.protocolMax || hello.protocolMax === 0) {
    return bad(`protocol_min ${hello.protocolMin} and protocol_max ${hello.protocolMax} are no range`);
  }
  if (hello.protocolMin > protocol.max || hello.protocolMax < protocol.min) {
    return {
      reject: reject(
        RejectCode.PROTOCOL,
        `the node speaks protocol ${hello.protocolMin} to ${hello.protocolMax}, this hub ${protocol.min} to ${protocol.max}: upgrade ${hello.protocolMax < protocol.min ? "the daemon" : "the hub"}`,
      ),
    };
  }
  const violations = violationsOf(HelloSchema, hello);
  if (violations.length > 0) {
    return bad(violations.map(({ field, message }) => `${field} ${message}`).join("; "));
  }
  return { hello, protocol: Math.min(hello.protocolMax, protocol.max) };
}

function bad(what: string): Admission {
  return { reject: reject(RejectCode.BAD_HELLO, `the hello is wrong: ${what}`) };
}

/** What a node is told that was removed: what becomes of its workloads, too, unless it is to be told nothing. */
export function rejectRemoved(nodeId: string, removal: Removal | undefined): Reject {
  const sentence = `node ${nodeId} was removed from the fleet: enrol it again to take it back`;
  const rejected = reject(RejectCode.REMOVED, sentence);
  const { workloads } = removal ?? {};
  return workloads === undefined
    ? rejected
    : { ...rejected, decommission: create(DecommissionRequestSchema, { workloads }) };
}

/** What a node is told that the fleet does not let in. */
export function rejectOutcast(outcast: Exclude<Outcast, "removed">, nodeId: string): Reject {
  switch (outcast) {
    case "unknown":
      return reject(RejectCode.REMOVED, `this hub does not know node ${nodeId}: enrol it here`);
    case "revoked":
      return reject(
        RejectCode.REMOVED,
        `the certificates of node ${nodeId} were revoked: enrol it anew with \`orchestrator daemon enroll --force --token ...\` and a token of \`orchestrator hub token create --for-node ${nodeId}\``,
      );
    case "replaced":
      return reject(
        RejectCode.REPLACED,
        `a newer certificate of node ${nodeId} has been used since: this disk was copied, or put back from a copy; enrol it anew with \`orchestrator daemon enroll --force --token ...\``,
      );
    case "stale":
      return reject(
        RejectCode.STALE_EPOCH,
        "a later session epoch of this node was already seen: raise it and try again",
      );
    case "cloned":
      return reject(
        RejectCode.CLONED,
        "another running daemon has this node's identity: stop one of the two, and enrol it with a token of its own",
      );
  }
}

/** What a stream is told when a newer one of the same node came. */
export function superseded(): Reject {
  return reject(RejectCode.SUPERSEDED, "a newer stream of this node took over");
}
