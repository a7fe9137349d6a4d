import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { noAnswer } from "./no-answer.ts";

export interface Connection {
  socket: Socket;
  /** SHA-256 of the certificate that was shown, as openssl prints it; empty without TLS. */
  sha256: string;
}

export interface Destination {
  address: string;
  port: number;
  tls: boolean;
}

/** Time for the connection and, with TLS, its handshake, in milliseconds. A runtime is one bridge away. */
export const connectTimeoutMs = 5_000;

/**
 * Connects. Nothing is sent yet but TLS's own greeting, so that the caller can look at the certificate first. No CA is asked:
 * a runtime signs for itself. The socket is the caller's to destroy.
 * @throws {Failure} unavailable: unreachable, refused, timed_out, tls. What the signal's reason is.
 */
export async function connectTo(
  { address, port, tls }: Destination,
  { signal, timeoutMs = connectTimeoutMs }: { signal: AbortSignal; timeoutMs?: number },
): Promise<Connection> {
  const where = hostOf(address, port);
  const late = AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any([signal, late]);
  const tooLate = (what: string) => noAnswer("timed_out", `${where} ${what} within ${timeoutMs} ms`);
  const plain = connect({ host: address, port });
  try {
    await happened(plain, "connect", stop).catch((error: unknown) => {
      signal.throwIfAborted();
      throw late.aborted ? tooLate("took no connection") : refusal(error, where);
    });
    if (!tls) return { socket: plain, sha256: "" };
    const secure = connectTls({
      socket: plain,
      rejectUnauthorized: false, // The caller knows the certificate itself.
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
    });
    await happened(secure, "secureConnect", stop).catch((error: unknown) => {
      signal.throwIfAborted();
      throw late.aborted ? tooLate("did not end its TLS handshake") : noTls(error, where);
    });
    const certificate = secure.getPeerX509Certificate();
    if (!certificate) throw noAnswer("tls", `${where} shows no certificate`);
    return { socket: secure, sha256: certificate.fingerprint256 };
  } catch (thrown) {
    plain.destroy();
    throw thrown;
  }
}

/** An address and port as in a URL. */
export function hostOf(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function refusal(error: unknown, where: string): Failure {
  if (systemCode(error) === "ECONNREFUSED") {
    return noAnswer(
      "refused",
      `nothing listens at ${where}: is this the right port, and has it started?`,
      error,
    );
  }
  if (systemCode(error) === "ECONNRESET") {
    return noAnswer("reset", `${where} ended the connection at once`, error);
  }
  return noAnswer("unreachable", `${where} cannot be reached (${systemCode(error)})`, error);
}

function noTls(error: unknown, where: string): Failure {
  const sentence = `${where} does not agree on TLS (${systemCode(error)}): does it speak plain HTTP?`;
  return noAnswer("tls", sentence, error);
}

/** Waits for an event of a socket, which otherwise fails or ends, or is aborted. Errors of later are not thrown at anybody. */
function happened(socket: Socket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("closed")));
    socket.once(event, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
  });
}
