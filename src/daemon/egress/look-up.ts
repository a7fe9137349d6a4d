import { promises as dns } from "node:dns";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";

/** What a name means, as the node's name servers say. */
export type Found =
  | { is: "known"; addresses: readonly string[]; ttlSeconds: number }
  /** There is the name, and it has none of that kind. */
  | { is: "empty" }
  | { is: "unknown" };

export type LookUp = (name: string, family: 4 | 6, signal: AbortSignal) => Promise<Found>;

/** Two questions to each name server, and longer than a program waits. */
const patience = { timeout: 2_000, tries: 2 };

/**
 * Asks name servers: these, as `address` or `address:port`, or those of the node as they are now.
 * @throws {Failure} unavailable: they do not answer.
 */
export function lookUpAt(servers: readonly string[]): LookUp {
  return async (name, family, signal) => {
    const resolver = new dns.Resolver(patience); // It reads the node's name servers when it is made.
    if (servers.length > 0) resolver.setServers(servers);
    const leave = () => resolver.cancel();
    signal.addEventListener("abort", leave, { once: true });
    try {
      const ask =
        family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true });
      const records = await ask;
      if (records.length === 0) return { is: "empty" };
      return {
        is: "known",
        addresses: records.map(({ address }) => address),
        ttlSeconds: Math.min(...records.map(({ ttl }) => ttl)),
      };
    } catch (thrown) {
      signal.throwIfAborted();
      if (systemCode(thrown) === "ENODATA") return { is: "empty" };
      if (systemCode(thrown) === "ENOTFOUND") return { is: "unknown" };
      const said = systemCode(thrown) || "no answer";
      throw failure("unavailable", `the node's name servers do not tell what ${name} means (${said})`, {
        cause: thrown,
      });
    } finally {
      signal.removeEventListener("abort", leave);
    }
  };
}
