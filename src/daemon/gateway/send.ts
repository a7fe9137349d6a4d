import { lookup as lookUp } from "node:dns";
import {
  type AgentOptions,
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as requestHttp,
} from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { getCACertificates } from "node:tls";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { mayLeadTo } from "./address.ts";

export interface Outgoing {
  url: URL;
  /** Path and query. */
  path: string;
  method: string;
  headers: OutgoingHttpHeaders;
}

interface Agents {
  http: HttpAgent;
  https: HttpsAgent;
}

/** Limits of every request that leaves, in milliseconds: for its connection, and for a silence on it. */
export const limits = { connectMs: 10_000, silenceMs: 120_000 };

/**
 * Connections to upstreams. Those that are judged are used once: one that its upstream closes just then would fail a request that
 * cannot be sent again, and none is shared with what was not judged. Closing it ends all that is under way.
 */
export class Sender implements Disposable {
  readonly #kept: Agents;
  readonly #once: Agents;

  /** @param extraCa certificates of CAs beside those of the system, in PEM. */
  constructor(extraCa: readonly string[]) {
    const system = getCACertificates("system");
    const ca = [...(system.length > 0 ? system : getCACertificates("default")), ...extraCa];
    const agents = (options: AgentOptions) => ({
      http: new HttpAgent(options),
      https: new HttpsAgent({ ...options, ca, minVersion: "TLSv1.2" }),
    });
    this.#kept = agents({ keepAlive: true, maxFreeSockets: 16 });
    this.#once = agents({ keepAlive: false });
  }

  /**
   * Begins a request. Its body is the caller's to write and to end; `answer` resolves with the head of what is answered, whatever
   * its status: nothing is followed anywhere. With `isJudged`, a name that leads to the node itself is refused.
   * @throws {Failure} of `answer`: unavailable, denied, deadline; what the signal's reason is.
   */
  begin({ url, path, method, headers }: Outgoing, signal: AbortSignal, isJudged: boolean) {
    const isTls = url.protocol === "https:";
    const sent = (isTls ? requestHttps : requestHttp)({
      ...{
        protocol: url.protocol,
        hostname: url.hostname.replace(/^\[|\]$/g, ""),
        port: url.port || undefined,
      },
      ...{ method, path, headers, signal, setHost: false, timeout: limits.silenceMs },
      agent: (isJudged ? this.#once : this.#kept)[isTls ? "https" : "http"],
      ...(isJudged && { lookup: judged(url.hostname) }),
    });
    const late = setTimeout(() => sent.destroy(tooLate(url, limits.connectMs)), limits.connectMs);
    sent.on("socket", (socket) => {
      const connected = () => clearTimeout(late);
      if (socket.connecting) socket.once(isTls ? "secureConnect" : "connect", connected);
      else connected();
    });
    sent.on("timeout", () => sent.destroy(tooLate(url, limits.silenceMs)));
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      sent.on("response", resolve);
      sent.on("upgrade", (_, socket) => {
        socket.destroy();
        reject(failure("unavailable", `${url.origin} wants to speak another protocol than HTTP`));
      });
      sent.on("error", (error) => reject(signal.aborted ? signal.reason : translated(url, error)));
      sent.on("close", () => clearTimeout(late));
    });
    return { sent: sent satisfies ClientRequest, answer };
  }

  [Symbol.dispose](): void {
    for (const { http, https } of [this.#kept, this.#once]) {
      http.destroy();
      https.destroy();
    }
  }
}

/** The same address is judged and connected to: a name that changes in between leads nowhere else. */
function judged(host: string): LookupFunction {
  return (name, options, done) => {
    lookUp(name, { ...options, all: true }, (error, found) => {
      if (error) return done(error, []);
      const allowed = found.filter(({ address }) => mayLeadTo(host, address));
      const [first] = allowed;
      if (!first) {
        const sentence = `${name} leads to ${found[0]?.address ?? "nowhere"}, which no name may lead to: an address must be named itself`;
        return done(failure("denied", sentence), []);
      }
      if (options.all) done(null, allowed);
      else done(null, first.address, first.family);
    });
  };
}

function tooLate({ origin }: URL, ms: number) {
  return failure("deadline", `${origin} said nothing within ${ms} ms`);
}

function translated({ origin }: URL, error: Error): Error {
  if (error.name === "Failure") return error;
  const code = systemCode(error);
  const isTls = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code);
  const why = isTls
    ? `shows a certificate that cannot be trusted (${code}): credentials.ca_file names further CAs`
    : `cannot be reached (${code}): is its address right, and is it up?`;
  return failure("unavailable", `${origin} ${why}`, { cause: error });
}
