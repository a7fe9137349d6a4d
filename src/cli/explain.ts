import { Code, ConnectError } from "@connectrpc/connect";
import { FailureSchema } from "../../gen/edge/v1/failure_pb.ts";
import { errorChain, type Failure, failure } from "../base/failure.ts";
import { fromConnectError } from "../wire/failures.ts";
import type { Place } from "./place.ts";

/** Who was asked, and where: a door, or netmon's socket. */
type Asked = Pick<Place, "where" | "caFile"> & { kind: Place["kind"] | "netmon" };

/** Nobody is there. */
const absent: Readonly<Record<Asked["kind"], (where: string) => string>> = {
  hub: (where) => `no hub answers at ${where}: is it running, and is the address right?`,
  local: (where) => `no daemon answers at ${where}: start it with \`orchestrator daemon start\``,
  netmon: (where) => `no netmon answers at ${where}: start it with \`orchestrator netmon start\``,
};

/** What the network and TLS say, in the order in which it is looked for in the causes of an error. */
const troubles: { sign: RegExp; tell(asked: Asked): Failure }[] = [
  {
    sign: /ENOENT|ECONNREFUSED/,
    tell: ({ kind, where }) => failure("unavailable", absent[kind](where)),
  },
  {
    sign: /EACCES|EPERM/,
    tell: ({ where }) => failure("denied", `this user may not use ${where}: its group and root may`),
  },
  {
    sign: /ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/,
    tell: ({ where }) => failure("unavailable", `${where} cannot be reached from here`),
  },
  {
    sign: /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames/,
    tell: ({ where }) =>
      failure("denied", `the certificate of ${where} is for other names: use one that the hub advertises`),
  },
  {
    sign: /SELF_SIGNED|self-signed|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|unable to verify|unable to get/i,
    tell: ({ where, caFile }) => {
      const by = caFile === undefined ? "a CA that this system trusts: name its CA with --ca-file" : caFile;
      return failure("denied", `the certificate of ${where} is not signed by ${by}`);
    },
  },
  {
    sign: /CERT_HAS_EXPIRED|certificate has expired/,
    tell: ({ where }) =>
      failure("denied", `the certificate of ${where} has expired; is this machine's clock right?`),
  },
  {
    sign: /EPROTO|ERR_SSL|wrong version number|ERR_HTTP2_ERROR/,
    tell: ({ where }) => failure("unavailable", `what answers at ${where} is not a hub's API`),
  },
  {
    sign: /ECONNRESET|ERR_STREAM_PREMATURE_CLOSE|EPIPE|GOAWAY|session|CANCEL|ping timed out/i,
    tell: ({ where }) => failure("unavailable", `the connection to ${where} was lost`),
  },
];

/** The failure behind whatever a call threw: what the other side said, or what happened on the way to it. */
export function explain(thrown: unknown, asked: Asked): unknown {
  if (!(thrown instanceof ConnectError)) return thrown;
  if (thrown.findDetails(FailureSchema).length > 0) return fromConnectError(thrown);
  if (thrown.code === Code.DeadlineExceeded) {
    return failure("deadline", `${asked.where} had no answer in time`, { cause: thrown });
  }
  const chain = codesOf(thrown);
  // A status that the other side sent has no cause; what broke on the way has one.
  if (thrown.cause !== undefined || /RST_STREAM|session/i.test(thrown.rawMessage)) {
    const trouble = troubles.find(({ sign }) => sign.test(chain));
    if (trouble) return failure(trouble.tell(asked).kind, trouble.tell(asked).message, { cause: thrown });
  }
  return fromConnectError(thrown);
}

function codesOf(thrown: unknown): string {
  const codes: string[] = [errorChain(thrown)];
  for (let at = thrown; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") codes.push(at.code);
  }
  return codes.join(" ");
}
