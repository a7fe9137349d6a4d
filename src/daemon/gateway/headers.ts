import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { failure } from "../../base/failure.ts";

/** Headers that are about one connection, and go no further (RFC 9110, 7.6.1). */
const ofConnection = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "expect"],
]);

/** Headers of an agent's request as an upstream gets them: without those of the connection, and with the secret in its header. */
export function requestHeaders(
  given: IncomingHttpHeaders,
  { host, header, value }: { host: string; header: string; value: string },
): OutgoingHttpHeaders {
  const secretHeader = header.toLowerCase();
  const kept = withoutConnection(given).filter(
    // What is compressed could carry the secret back unseen, so nothing compressed is asked for.
    ([name]) => name !== secretHeader && name !== "host" && name !== "accept-encoding",
  );
  return { ...Object.fromEntries(kept), host, "accept-encoding": "identity", [secretHeader]: value };
}

/** Headers of an upstream's answer as an agent gets them; `cut` takes the secret out of a value. */
export function responseHeaders(
  given: IncomingHttpHeaders,
  { cut, isDecoded }: { cut: (text: string) => string; isDecoded: boolean },
): OutgoingHttpHeaders {
  const gone = isDecoded ? ["content-encoding", "content-length"] : [];
  const kept = withoutConnection(given).filter(([name]) => !gone.includes(name));
  return Object.fromEntries(
    kept.map(([name, value]) => [name, Array.isArray(value) ? value.map(cut) : cut(value ?? "")]),
  );
}

/** A secret as a part of a header. @throws {Failure} unavailable: it cannot be one. */
export function inHeader(secret: Buffer): string {
  const value = secret.toString("latin1");
  if (/^[\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  throw failure(
    "unavailable",
    "the credential is more than one line, and cannot stand in a header: set it again",
  );
}

function withoutConnection(given: IncomingHttpHeaders) {
  const named = (given.connection ?? "").split(",").map((one) => one.trim().toLowerCase());
  return Object.entries(given).filter(
    ([name]) => !ofConnection.has(name) && !named.includes(name) && !name.startsWith(":"),
  );
}
