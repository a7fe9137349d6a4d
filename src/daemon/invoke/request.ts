import { type HttpHeader, type InvokeRuntimeRequest, InvokeScheme } from "../../../gen/edge/v1/invoke_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";

/** Headers that say how a message travels between two neighbours (RFC 9110, 7.6.1), and those that we set ourselves. */
const ours = new Set([
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"],
  ...["proxy-authenticate", "proxy-authorization", "host", "content-length", "expect"],
]);
/** Of an answer, its own length is of use: of one to a HEAD it is all there is. */
const betweenHops = new Set([...ours].filter((name) => name !== "content-length"));

/** Methods that are sent again when it is not known whether they arrived: they change nothing (RFC 9110, 9.2.1). */
const repeatable = new Set(["GET", "HEAD"]);

/**
 * What the rules of the contract cannot say of a request.
 * @throws {Failure} invalid, with every violation.
 */
export function checkRequest({ path, headers, scheme, trustNewCertificate }: InvokeRuntimeRequest): void {
  const violations: FieldViolation[] = headers.flatMap(({ name }, index) =>
    ours.has(name.toLowerCase())
      ? [{ field: `headers[${index}].name`, message: `${evidence(name)} is set by the node: leave it out` }]
      : [],
  );
  const unclear = unclearPart(path);
  if (unclear !== undefined) {
    const message = `holds ${evidence(unclear)}, by which a server may take it for another path: leave it out`;
    violations.push({ field: "path", message });
  }
  if (trustNewCertificate && scheme === InvokeScheme.HTTP) {
    violations.push({ field: "trust_new_certificate", message: "without TLS there is no certificate" });
  }
  if (violations.length > 0) throw invalidFields(violations);
}

/** Whether a request may be sent twice. */
export function isRepeatable(method: string): boolean {
  return repeatable.has(method);
}

/** The head of a request as it is sent: the caller's headers, and ours. Names and values by turns. */
export function headOf({ method, headers, body }: InvokeRuntimeRequest, host: string): string[] {
  const needsLength = body.length > 0 || ["POST", "PUT", "PATCH"].includes(method);
  return [
    ...["host", host],
    ...headers.flatMap(({ name, value }) => [name, value]),
    ...(needsLength ? ["content-length", String(body.length)] : []),
    ...["connection", "close"],
  ];
}

/** An answer's headers for the caller, from names and values by turns. */
export function headersOf(raw: readonly string[]): Pick<HttpHeader, "name" | "value">[] {
  const pairs = raw.flatMap((name, at) => (at % 2 === 0 ? [{ name, value: raw[at + 1] ?? "" }] : []));
  return pairs.filter(({ name }) => !betweenHops.has(name.toLowerCase()));
}

/**
 * The part of a path that servers read differently: a segment that is `.` or `..`, also when encoded or with parameters, and
 * an encoded slash, backslash or zero. The policy looks at the text, so text and meaning must be the same.
 */
function unclearPart(path: string): string | undefined {
  const [bare = ""] = path.split("?");
  const encoded = /%(?:2f|5c|00)/i.exec(bare);
  if (encoded) return encoded[0];
  return bare.split("/").find((segment) => /^\.{1,2}(?:;.*)?$/.test(segment.replace(/%2e/gi, ".")));
}
