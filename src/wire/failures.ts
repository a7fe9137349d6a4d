import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { AnySchema, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Failure as FailureMessage,
  FailureSchema,
  FailureKind as WireKind,
} from "../../gen/edge/v1/failure_pb.ts";
import { asFailure, Failure, type FailureKind } from "../base/failure.ts";
import { systemCode } from "../base/system-code.ts";

interface Row {
  wire: WireKind;
  /** https://grpc.github.io/grpc/core/md_doc_statuscodes.html; Connect uses the same numbers. */
  grpc: Code;
  /** Whether the same request may succeed later without being changed. */
  retryable: boolean;
  /** What the CLI exits with. 2 is kept for a mistyped command line, as shells do. */
  exit: number;
}

/** The one table: kind, gRPC code, retryable, exit code. docs/protocol.md and docs/cli.md show it. */
export const failureTable = {
  internal: { wire: WireKind.INTERNAL, grpc: Code.Internal, retryable: false, exit: 1 },
  invalid: { wire: WireKind.INVALID, grpc: Code.InvalidArgument, retryable: false, exit: 3 },
  not_found: { wire: WireKind.NOT_FOUND, grpc: Code.NotFound, retryable: false, exit: 4 },
  conflict: { wire: WireKind.CONFLICT, grpc: Code.AlreadyExists, retryable: false, exit: 5 },
  denied: { wire: WireKind.DENIED, grpc: Code.PermissionDenied, retryable: false, exit: 6 },
  unavailable: { wire: WireKind.UNAVAILABLE, grpc: Code.Unavailable, retryable: true, exit: 7 },
  deadline: { wire: WireKind.DEADLINE, grpc: Code.DeadlineExceeded, retryable: true, exit: 8 },
  cancelled: { wire: WireKind.CANCELLED, grpc: Code.Canceled, retryable: false, exit: 9 },
  exhausted: { wire: WireKind.EXHAUSTED, grpc: Code.ResourceExhausted, retryable: true, exit: 10 },
  unsupported: { wire: WireKind.UNSUPPORTED, grpc: Code.Unimplemented, retryable: false, exit: 11 },
} satisfies Record<FailureKind, Row>;

const kinds = Object.keys(failureTable) as FailureKind[]; // The table is complete: `satisfies` says so.

/** The failure as it travels. A cause never does: it may name things that are not the other side's business. */
export function toFailureMessage(thrown: unknown): FailureMessage {
  const { kind, message, violations, word } = asFailure(thrown);
  const { wire, retryable } = failureTable[kind];
  return create(FailureSchema, {
    kind: wire,
    message,
    retryable,
    code: word,
    violations: violations.map((one) => ({ ...one })),
  });
}

/** The failure that a message tells. An unknown kind is `internal`. */
export function fromFailureMessage(message: FailureMessage): Failure {
  const kind = kinds.find((one) => failureTable[one].wire === message.kind) ?? "internal";
  return new Failure(kind, message.message, { violations: message.violations, word: message.code });
}

/** The failure as an error of the API, with edge.v1.Failure among its details. */
export function toConnectError(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  const failure = asFailure(thrown);
  const details = [{ desc: FailureSchema, value: toFailureMessage(failure) }];
  return new ConnectError(
    failure.message,
    failureTable[failure.kind].grpc,
    undefined,
    details,
    failure.cause,
  );
}

/** The failure behind an error of the API: from its details where there are some, else from its code. */
export function fromConnectError(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const error = ConnectError.from(thrown);
  const [detail] = error.findDetails(FailureSchema);
  if (detail) return fromFailureMessage(detail);
  if (isRefusedStream(error.cause)) return new Failure("unavailable", refusedStream, { cause: error });
  if (isAbsentSocket(error.cause)) return new Failure("unavailable", error.rawMessage, { cause: error });
  return new Failure(kindOfCode(error.code), error.rawMessage, { cause: error });
}

const refusedStream = "the program that was asked is stopping, and did nothing of this: try again";

/** A call that met a server's goodbye. Connect calls it `internal`; gRPC, and we, say that it never began and may be made again. */
function isRefusedStream(cause: unknown): boolean {
  return cause instanceof Error && cause.message.includes("NGHTTP2_REFUSED_STREAM");
}

/** The file of a unix socket is not there: whoever listened has stopped, or has not begun. Connect calls that `internal`, too. */
function isAbsentSocket(cause: unknown): boolean {
  return systemCode(cause) === "ENOENT";
}

/** gRPC's own codes that are not ours, folded into the kind that asks the same of the caller. */
function kindOfCode(code: Code): FailureKind {
  if (code === Code.Unauthenticated) return "denied";
  if (code === Code.FailedPrecondition || code === Code.Aborted) return "conflict";
  if (code === Code.OutOfRange) return "invalid";
  return kinds.find((kind) => failureTable[kind].grpc === code) ?? "internal";
}

/** The name of the trailer in which gRPC carries `google.rpc.Status`, and of grpc-js's error metadata. */
export const statusDetailsKey = "grpc-status-details-bin";

/** `google.rpc.Status` { int32 code = 1; string message = 2; repeated Any details = 3 }, which is all that we need of it. */
export function toStatusDetails(thrown: unknown): { code: number; message: string; details: Uint8Array } {
  const failure = asFailure(thrown);
  const code = failureTable[failure.kind].grpc;
  const any = toBinary(AnySchema, anyPack(FailureSchema, toFailureMessage(failure)));
  const text = new TextEncoder().encode(failure.message);
  const details = Buffer.concat([
    Uint8Array.of(0x08, code),
    Uint8Array.of(0x12, ...varint(text.length)),
    text,
    Uint8Array.of(0x1a, ...varint(any.length)),
    any,
  ]);
  return { code, message: failure.message, details };
}

/** The failure in a `google.rpc.Status`, if there is one. */
export function fromStatusDetails(details: Uint8Array): Failure | undefined {
  const reader = new BinaryReader(details);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 3 || type !== WireType.LengthDelimited) {
      reader.skip(type, field);
      continue;
    }
    const message = anyUnpack(fromBinary(AnySchema, reader.bytes()), FailureSchema);
    if (message) return fromFailureMessage(message);
  }
  return undefined;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
