/** The way to a hub, and to what a node fetches: a connection to an address, through the proxy where one is set. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { isIP, type LookupFunction, type Socket } from "node:net";
import { connect, rootCertificates, type TLSSocket } from "node:tls";
import { evidence } from "../base/evidence.ts";
import { errorChain, Failure, failure } from "../base/failure.ts";
import { hostOf, type ProxyNames, portOf, proxyWithCredentials } from "./proxy.ts";
import { reach, resolver } from "./reach.ts";

/** How long a proxy may take to open the way, in milliseconds. */
const openMs = 10_000;

export interface Way {
  socket: Socket;
  /** The proxy between, as `host:port`; undefined where there is none. */
  proxy?: string;
}

/**
 * A connection to `address` ("host:port"). Whoever asks for it destroys it. Rejects with the signal's reason.
 * @throws {Failure} unavailable: nothing answers there, or the proxy opens no way. invalid: no proxy is named by what is set.
 */
export async function openWay(
  address: string,
  proxyNames: ProxyNames,
  signal: AbortSignal,
  names = resolver(),
): Promise<Way> {
  const way = await wayByProxy(address, proxyNames, signal, names);
  if (way) return way;
  try {
    return { socket: await reach(hostOf(address), portOf(address), { names, signal }) };
  } catch (thrown) {
    signal.throwIfAborted();
    throw failure(
      "unavailable",
      `no hub answers at ${address} (${thrown instanceof Error ? thrown.message : String(thrown)}): check the address, the network, and that it runs`,
      { cause: thrown },
    );
  }
}

/** The same where a proxy is set for the address; undefined where none is. */
export async function wayByProxy(
  address: string,
  proxyNames: ProxyNames,
  signal: AbortSignal,
  names = resolver(),
): Promise<Way | undefined> {
  const proxy = await proxyWithCredentials(address, proxyNames);
  const { caFile } = proxyNames;
  return proxy && { socket: await tunnel(proxy, address, signal, { caFile, names }), proxy: proxy.host };
}

/** The same through this proxy. `caFile` names those that its own certificate may be of. */
export async function tunnel(
  proxy: URL,
  address: string,
  signal: AbortSignal,
  { caFile, names = resolver() }: { caFile?: string | undefined; names?: LookupFunction } = {},
): Promise<Socket> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(openMs)]);
  let way: Socket | undefined;
  try {
    way = await reachProxy(proxy, { names, signal: stop, caFile });
    const { answer, socket } = await ask(way, proxy, address, stop);
    if (answer.statusCode === 200) return socket;
    throw refusal(proxy, address, answer);
  } catch (thrown) {
    way?.on("error", () => {});
    way?.destroy();
    signal.throwIfAborted();
    if (thrown instanceof Failure) throw thrown;
    const why = stop.aborted ? `it did not answer within ${openMs / 1000} s` : errorChain(thrown);
    throw noWay(proxy, address, why, "check that it is there, and https_proxy, or line.proxy", thrown);
  }
}

async function reachProxy(
  proxy: URL,
  { caFile, ...how }: { names: LookupFunction; signal: AbortSignal; caFile: string | undefined },
): Promise<Socket> {
  const isSecure = proxy.protocol === "https:";
  const host = proxy.hostname.replace(/^\[(.*)\]$/, "$1");
  const socket = await reach(host, Number(proxy.port || (isSecure ? 443 : 80)), how);
  if (!isSecure) return socket;
  const own = caFile === undefined ? {} : { ca: [...rootCertificates, await readFile(caFile, "utf8")] };
  const name = isIP(host) === 0 ? { servername: host } : {};
  // Judged below, so that whose certificate it was can be told.
  const secure = connect({ socket, host, ...name, ...own, rejectUnauthorized: false });
  try {
    await once(secure, "secureConnect", { signal: how.signal });
    if (!secure.authorized) throw untrusted(proxy, secure);
    return secure;
  } catch (thrown) {
    secure.on("error", () => {});
    secure.destroy();
    throw thrown;
  }
}

async function ask(way: Socket, proxy: URL, address: string, signal: AbortSignal) {
  const asked = request({
    method: "CONNECT",
    path: address,
    headers: { host: address, ...credentials(proxy) },
    createConnection: () => way,
  });
  asked.on("error", () => {}); // What it says after we gave up would end the process.
  asked.end();
  const opened = await once(asked, "connect", { signal });
  const [answer, socket, early] = opened as [IncomingMessage, Socket, Buffer];
  if (early.length > 0) socket.unshift(early);
  return { answer, socket };
}

function credentials({ username, password }: URL): { "proxy-authorization"?: string } {
  if (username === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(pair).toString("base64")}` };
}

function refusal(proxy: URL, address: string, { statusCode, statusMessage }: IncomingMessage): Failure {
  const next =
    statusCode === 407
      ? "give it a name and a password that it knows, in line.proxy_credentials_file or in https_proxy"
      : "have it let that through, or name the host in no_proxy";
  return noWay(proxy, address, `it answered ${statusCode} ${statusMessage}`, next);
}

function noWay(proxy: URL, address: string, why: string, next: string, cause?: unknown): Failure {
  return failure("unavailable", `the proxy at ${proxy.host} opens no way to ${address} (${why}): ${next}`, {
    cause,
  });
}

function untrusted(proxy: URL, secure: TLSSocket): Failure {
  const shown = secure.getPeerX509Certificate();
  const whose = shown
    ? `it comes from ${evidence(shown.issuer.replaceAll("\n", ", "))}, SHA-256 fingerprint ${shown.fingerprint256}`
    : "it shows none";
  return failure(
    "denied",
    `the certificate of the proxy at ${proxy.host} is not trusted here (${whose}): name its authority in line.proxy_ca_file`,
  );
}
