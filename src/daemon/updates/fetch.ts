import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { isIP, type Socket } from "node:net";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { connect, rootCertificates } from "node:tls";
import { Failure, failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { hostOf, type ProxyNames } from "../../wire/proxy.ts";
import { wayByProxy } from "../../wire/tunnel.ts";

export interface FetchOptions {
  /** The hub's own authority, which may have issued the server's certificate. */
  caPem: string | undefined;
  /** Where the proxy is named: that of the line. */
  proxy: ProxyNames;
  signal: AbortSignal;
  progress(doneBytes: number, totalBytes?: number): void;
}

/** Ours has 40 MB. */
const longestBytes = 512 << 20;
const mostRedirects = 5;

/**
 * Copies a bundle to a file, from an address or from another file of the node, if it is the one that the hash names.
 * @throws {Failure} unavailable: it cannot be had. invalid: it is another one. exhausted: it is too large, or the disk is full.
 */
export async function fetchBundle(
  from: string,
  sha256: string,
  to: string,
  options: FetchOptions,
): Promise<void> {
  const { signal, progress } = options;
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    const source = from.startsWith("/") ? createReadStream(from) : await request(from, options);
    const total = "headers" in source ? Number(source.headers["content-length"] ?? 0) : 0;
    const counted = new Transform({
      transform(chunk: Buffer, _, done) {
        hash.update(chunk);
        bytes += chunk.length;
        progress(bytes, total);
        done(bytes > longestBytes ? tooLarge() : null, chunk);
      },
    });
    await pipeline(source, counted, createWriteStream(to, { mode: 0o600, flush: true }), { signal });
  } catch (thrown) {
    throw translated(from, thrown);
  }
  const found = hash.digest("hex");
  if (found === sha256) return;
  throw failure(
    "invalid",
    `${from} has the SHA-256 ${found}, and ${sha256} was asked for: it is another bundle`,
  );
}

async function request(
  address: string,
  options: Omit<FetchOptions, "progress">,
  redirects = mostRedirects,
): Promise<IncomingMessage> {
  const { caPem, proxy, signal } = options;
  const ca = [...rootCertificates, ...(caPem === undefined ? [] : [caPem])];
  const { hostname, port } = new URL(address);
  const way = await wayByProxy(`${hostname}:${port || 443}`, proxy, signal);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    // An agent would make connections of its own.
    const by = way ? { createConnection: () => secure(way.socket, hostOf(hostname), ca) } : { agent: false };
    get(address, { ca, signal, ...by }, resolve).on("error", reject);
  });
  const { statusCode = 0, headers } = answer;
  if (statusCode === 200) return answer;
  answer.resume();
  const { location } = headers;
  if (statusCode >= 300 && statusCode < 400 && location !== undefined && redirects > 0) {
    const next = new URL(location, address);
    if (next.protocol === "https:") return request(next.href, options, redirects - 1);
  }
  throw failure("unavailable", `${address} answered ${statusCode}, not with a bundle`);
}

function secure(socket: Socket, host: string, ca: string[]) {
  return connect({ socket, host, ca, ...(isIP(host) === 0 && { servername: host }) });
}

function tooLarge() {
  return failure("exhausted", `a bundle has at most ${longestBytes >> 20} MiB, and this is larger`);
}

function translated(from: string, thrown: unknown): unknown {
  if (thrown instanceof Failure) return thrown;
  const code = systemCode(thrown);
  if (code === "ENOSPC") {
    return failure("exhausted", "no space left for the bundle: free some in the daemon's data directory");
  }
  if (code === "ABORT_ERR") return thrown;
  const what = thrown instanceof Error ? thrown.message : code;
  return failure("unavailable", `${from} cannot be had: ${what}`, { cause: thrown });
}
