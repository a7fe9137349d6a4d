/**
 * The HTTP proxy between a node and its hub: the one that the settings name, or else the environment. Whatever a node dials at
 * its hub goes the same way, so that a node that enrols can also keep its line. TLS is with the hub, not with the proxy.
 */
import { readFile } from "node:fs/promises";
import { BlockList, isIP } from "node:net";
import { failure } from "../base/failure.ts";

/** Where a proxy may be named. */
export interface ProxyNames {
  /** `https_proxy`, else `http_proxy`, and `no_proxy`; in capitals, too. */
  env: NodeJS.ProcessEnv;
  /** Counts before the environment. `http://host:port`, or `https://` for a proxy that is spoken to by TLS. */
  url?: string | undefined;
  /** Counts before the environment, unless it is empty. */
  noProxy?: readonly string[];
  /** A file with `name:password`, read at each dial; counts before what stands in a URL. */
  credentialsFile?: string | undefined;
  /** PEM file of the authorities that a proxy's own certificate may be of, beside those of Node. */
  caFile?: string | undefined;
}

/**
 * The proxy for `address` ("host:port"), or undefined where there is none, where the host is this machine, and where `no_proxy`
 * names it: by itself or the end of its name, as in `example.com`, by a range, as in `10.0.0.0/8` or `fd00::/8`, or by `*`; each
 * also with a port.
 * @throws {Failure} invalid: what is set does not name a proxy.
 */
export function proxyOf(address: string, { env, url, noProxy = [] }: ProxyNames): URL | undefined {
  const found = url ?? variable(env, "https_proxy") ?? variable(env, "http_proxy");
  if (found === undefined) return undefined;
  const host = hostOf(address);
  if (isLoopback(host)) return undefined;
  const spared = noProxy.length > 0 ? noProxy : (variable(env, "no_proxy") ?? "").split(",");
  if (spared.some((entry) => isSpared(host, portOf(address), entry.trim().toLowerCase()))) return undefined;
  const proxy = URL.parse(found);
  if (/^https?:$/.test(proxy?.protocol ?? "") && proxy?.hostname) return proxy;
  const where = url === undefined ? "the variable https_proxy" : "the setting line.proxy";
  // The value itself may hold a password.
  throw failure("invalid", `${where} does not name a proxy: set it to http://host:port`);
}

/**
 * The proxy as `proxyOf` finds it, with the name and password of the file, if there is one.
 * @throws {Failure} invalid: as `proxyOf`, or the file holds something else. unavailable: it cannot be read.
 */
export async function proxyWithCredentials(address: string, names: ProxyNames): Promise<URL | undefined> {
  const proxy = proxyOf(address, names);
  const file = names.credentialsFile;
  if (!proxy || file === undefined) return proxy;
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw failure(
      "unavailable",
      `${file} cannot be read: check line.proxy_credentials_file, its owner and mode`,
      {
        cause,
      },
    );
  });
  const [, name, password] = /^([^:\s]+):([^\r\n]*)\r?\n?$/.exec(text) ?? [];
  if (name === undefined || password === undefined) {
    throw failure("invalid", `${file} does not hold name:password of the proxy on one line`);
  }
  proxy.username = encodeURIComponent(name);
  proxy.password = encodeURIComponent(password);
  return proxy;
}

/** The host of "host:port", without the brackets of an IPv6 address. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/** The port of "host:port". */
export function portOf(address: string): number {
  return Number(/:(\d+)$/.exec(address)?.[1] ?? 443);
}

/** Whether a host is this machine itself, for which no proxy is ever asked: it would look for itself. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || isInRange(host, "127.0.0.0/8");
}

/** A variable by its name in small letters or in capitals; one that is empty is not set. */
function variable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name] || env[name.toUpperCase()] || undefined;
}

function isSpared(host: string, port: number, given: string): boolean {
  const [, bare, wanted] = /^([^:]*|\[.*\]):(\d+)$/.exec(given) ?? [];
  if (wanted !== undefined && Number(wanted) !== port) return false;
  const entry = (bare ?? given).replace(/^\[(.*)\]$/, "$1").replace(/^\*?\./, "");
  if (entry === "") return false;
  const name = host.toLowerCase();
  return entry === "*" || name === entry || name.endsWith(`.${entry}`) || isInRange(host, entry);
}

function isInRange(host: string, entry: string): boolean {
  const [network = "", length] = entry.split("/");
  const [family, other] = [isIP(host), isIP(network)];
  if (family === 0 || family !== other) return false;
  const bits = length === undefined ? (family === 4 ? 32 : 128) : Number(length);
  if (!(bits >= 0 && bits <= (family === 4 ? 32 : 128))) return false;
  const range = new BlockList();
  const kind = family === 4 ? "ipv4" : "ipv6";
  range.addSubnet(network, bits, kind);
  return range.check(host, kind);
}
