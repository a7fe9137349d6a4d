import { X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { errorChain, type Failure, failure } from "../../base/failure.ts";
import { hostOf } from "../../wire/proxy.ts";
import { minTlsVersion, spkiSha256 } from "../../wire/tls.ts";

/** How long an address may take to show its certificate, in milliseconds. */
const showMs = 10_000;

/** The word of a failure over an address at which something else than the token's hub answers. */
export const anotherHub = "another hub";

/**
 * Looks at the chain that a hub shows and returns its root as PEM, when that is the one that the token names. Nothing is
 * said to the hub: only what is dialled afterwards, trusting this root alone, is believed. `way` is a connection to it.
 * @throws {Failure} unavailable: nobody answers there. denied: it is another hub, or it does not show its root.
 */
export async function findRoot(
  address: string,
  wantedSha256: Uint8Array,
  way: Socket,
  signal: AbortSignal,
): Promise<string> {
  const chain = await shownChain(address, way, signal);
  const root = chain.at(-1);
  if (!root?.checkIssued(root)) {
    throw failure(
      "denied",
      `what answers at ${address} shows a certificate without its root: it is not the hub of this token, or something between changes TLS`,
      { word: anotherHub },
    );
  }
  const seen = spkiSha256(root).toString("hex");
  const wanted = Buffer.from(wantedSha256).toString("hex");
  if (seen === wanted) return root.toString();
  throw failure(
    "denied",
    `what answers at ${address} is not the hub of this token: its root has the fingerprint ${seen}, the token wants ${wanted}`,
    { word: anotherHub },
  );
}

async function shownChain(address: string, way: Socket, signal: AbortSignal): Promise<X509Certificate[]> {
  const host = hostOf(address);
  // Not verified on purpose: the pin in the token is what it is held against, and nothing is sent.
  const socket = connect({
    host,
    socket: way,
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: minTlsVersion,
    rejectUnauthorized: false,
  });
  try {
    await secured(socket, signal);
    return chainOf(socket.getPeerCertificate(true));
  } catch (thrown) {
    signal.throwIfAborted();
    throw notReached(address, thrown);
  } finally {
    socket.destroy();
  }
}

function secured(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = AbortSignal.any([signal, AbortSignal.timeout(showMs)]);
    stop.addEventListener("abort", () => reject(stop.reason), { once: true });
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("it closed the connection")));
  });
}

function chainOf(first: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let at = first; at.raw; at = at.issuerCertificate) {
    chain.push(new X509Certificate(at.raw));
    // A root is its own issuer; an issuer that was not shown is missing.
    if (!at.issuerCertificate || at.issuerCertificate === at || chain.length > 8) break;
  }
  return chain;
}

function notReached(address: string, thrown: unknown): Failure {
  const why =
    thrown instanceof Error && thrown.name === "TimeoutError"
      ? `it did not answer within ${showMs / 1000} s`
      : errorChain(thrown);
  return failure(
    "unavailable",
    `no hub answers at ${address} (${why}): check the address, the network, and that it runs`,
    {
      cause: thrown,
    },
  );
}
