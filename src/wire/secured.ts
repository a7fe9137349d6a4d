import { X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { failure } from "../base/failure.ts";
import { judge, type Trust } from "./judge.ts";
import { minTlsVersion } from "./tls.ts";

/** With whom a node speaks, and as whom. */
export interface SecuredOptions extends Trust {
  /** The node's own key and certificates, as PEM; absent before it has any. */
  own?: { keyPem: string; certificatePem: string };
  /** What is spoken inside: `h2`, `http/1.1`. */
  protocols: readonly string[];
}

/**
 * TLS with a hub on a connection that is there, whatever way it took. It resolves when the hub was judged, and nothing was said
 * before: every way of ours to a hub goes through here.
 * @throws {Failure} denied: it is not the hub, with the reason. Else what broke the connection.
 */
export async function secured(way: Socket, options: SecuredOptions): Promise<TLSSocket> {
  const { host, protocols } = options;
  const socket = connect({
    socket: way,
    secureContext: contextOf(options),
    // An IP address may not stand in the server name of TLS (RFC 6066, section 3).
    ...(isIP(host) === 0 && { servername: host }),
    host,
    ALPNProtocols: [...protocols],
    rejectUnauthorized: false, // `judge` decides.
  });
  try {
    await established(socket);
    const why = judge({ error: errorOf(socket), chain: chainOf(socket) }, options);
    if (why !== undefined) {
      throw failure("denied", `what answers at ${host} is not believed to be the hub: ${why}`);
    }
    return socket;
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  }
}

function contextOf({ rootsPem, own }: SecuredOptions): SecureContext {
  return createSecureContext({
    ca: rootsPem,
    ...(own && { key: own.keyPem, cert: own.certificatePem }),
    minVersion: minTlsVersion,
  });
}

function established(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    // It stays: a socket whose error nobody hears would end the process.
    socket.on("error", reject);
    socket.once("close", () => reject(failure("unavailable", "it closed the connection")));
  });
}

function errorOf({ authorized, authorizationError }: TLSSocket): string | undefined {
  return authorized ? undefined : String(authorizationError);
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let at = socket.getPeerCertificate(true); at.raw && chain.length < 10; at = at.issuerCertificate) {
    chain.push(new X509Certificate(at.raw));
    if (!at.issuerCertificate || at.issuerCertificate === at) break;
  }
  return chain;
}
