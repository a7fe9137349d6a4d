/**
 * The HTTP proxy between a node and its hub. The line's library obeys `https_proxy`, `http_proxy` and `no_proxy` by itself;
 * enrolment goes the same way, so that a node that enrols can also keep its line. TLS is with the hub, not with the proxy.
 */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { BlockList, isIPv4, type Socket } from "node:net";
import { errorChain, failure } from "../base/failure.ts";

/** How long a proxy may take to open the way, in milliseconds. */
const openMs = 10_000;

/**
 * The proxy for `address` ("host:port"), or undefined where there is none, where the host is this machine, and where `no_proxy`
 * names it: by its end, as in `.example.com`, or by an IPv4 range, as in `10.0.0.0/8`.
 * @throws {Failure} invalid: the variable does not hold http://host:port.
 */
export function proxyOf(address: string, env: NodeJS.ProcessEnv): URL | undefined {
  const found = env.grpc_proxy || env.https_proxy || env.http_proxy;
  if (!found) return undefined;
  const host = hostOf(address);
  if (isLoopback(host)) return undefined;
  const spared = (env.no_grpc_proxy || env.no_proxy || "").split(",").filter((entry) => entry !== "");
  if (spared.some((entry) => host.endsWith(entry) || isInRange(host, entry))) return undefined;
  const proxy = URL.parse(found);
  if (proxy?.protocol === "http:" && proxy.hostname !== "") return proxy;
  // The value itself may hold a password.
  throw failure("invalid", "the variable https_proxy does not name a proxy: set it to http://host:port");
}

/** The host of "host:port", without the brackets of an IPv6 address. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/** Whether a host is this machine itself, for which no proxy is ever asked: it would look for itself. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || isInRange(host, "127.0.0.0/8");
}

function isInRange(host: string, entry: string): boolean {
  const [, network = "", length = ""] = /^([\d.]+)\/(\d{1,2})$/.exec(entry) ?? [];
  if (!isIPv4(host) || !isIPv4(network) || Number(length) > 32) return false;
  const range = new BlockList();
  range.addSubnet(network, Number(length));
  return range.check(host);
}

/**
 * A connection to `address` through the proxy. Whoever asks for it destroys it.
 * @throws {Failure} unavailable: the proxy does not answer, or says no.
 */
export async function tunnel(proxy: URL, address: string, signal: AbortSignal): Promise<Socket> {
  const asked = request({
    host: proxy.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(proxy.port || 80),
    method: "CONNECT",
    path: address,
    headers: { host: address, ...credentials(proxy) },
    agent: false,
  });
  asked.end();
  try {
    const stop = AbortSignal.any([signal, AbortSignal.timeout(openMs)]);
    const opened = await once(asked, "connect", { signal: stop });
    const [answer, socket, early] = opened as [IncomingMessage, Socket, Buffer];
    if (answer.statusCode !== 200) {
      socket.destroy();
      throw new Error(`it answered ${answer.statusCode} ${answer.statusMessage}`);
    }
    if (early.length > 0) socket.unshift(early);
    return socket;
  } catch (thrown) {
    asked.destroy();
    signal.throwIfAborted();
    throw failure(
      "unavailable",
      `the proxy at ${proxy.host} opens no way to ${address} (${errorChain(thrown)}): check https_proxy and no_proxy, and that the proxy lets the hub's ports through`,
      { cause: thrown },
    );
  }
}

function credentials({ username, password }: URL): { "proxy-authorization"?: string } {
  if (username === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(pair).toString("base64")}` };
}
