import { type LookupAddress, lookup } from "node:dns";
import { once } from "node:events";
import { connect, isIP, type LookupFunction, type Socket } from "node:net";

/** How long a name server may take, in milliseconds: the system's own answers later than most people wait. */
const resolveMs = 5_000;
/** How long a host may take to answer, its name included, in milliseconds. */
const reachMs = 10_000;
/** How long one address of a name may take while there are others, in milliseconds: a radio link needs a second. */
const addressMs = 2_000;

/**
 * A TCP connection. A name may have several addresses of both kinds: they are tried in turn, so that one that leads nowhere
 * costs two seconds and not the connection. Whoever asks for it destroys it. Rejects with an error whose message says what is
 * wrong, or with the signal's reason.
 */
export async function reach(
  host: string,
  port: number,
  { names, signal }: { names: LookupFunction; signal: AbortSignal },
): Promise<Socket> {
  const socket = connect({
    ...{ host, port, lookup: names, autoSelectFamily: isIP(host) === 0 },
    autoSelectFamilyAttemptTimeout: addressMs,
  });
  try {
    await once(socket, "connect", { signal: AbortSignal.any([signal, AbortSignal.timeout(reachMs)]) });
    return socket;
  } catch (thrown) {
    socket.on("error", () => {}); // Nobody waits for what it says after this.
    socket.destroy();
    signal.throwIfAborted();
    throw new Error(whyNot(host, thrown), { cause: thrown });
  }
}

function whyNot(host: string, thrown: unknown): string {
  // Of several addresses, each may have had its own reason.
  if (thrown instanceof AggregateError) {
    return [...new Set(thrown.errors.map((one: unknown) => whyNot(host, one)))].join("; ");
  }
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown.name === "AbortError") return `it did not answer within ${reachMs / 1000} s`;
  if (!("syscall" in thrown && thrown.syscall === "getaddrinfo")) return thrown.message;
  return `no name server knows ${host} (${thrown.message}): check the name, and the name servers of this machine`;
}

/** Asks the system what names mean; while it fails or is silent, a name means what it meant before. */
export function resolver(): LookupFunction {
  // The system cannot be told to stop, and every question that hangs keeps one of its few threads: nobody asks twice.
  const asked = new Map<string, Promise<readonly LookupAddress[]>>();
  // Where it led wrong, TLS says so.
  const known = new Map<string, readonly LookupAddress[]>();
  const ask = (host: string) => {
    const answer = new Promise<readonly LookupAddress[]>((resolve, reject) => {
      lookup(host, { all: true }, (error, found) => {
        asked.delete(host);
        if (error) return reject(error);
        known.set(host, found);
        resolve(found);
      });
    });
    asked.set(host, answer);
    return answer;
  };
  return (host, options, done) => {
    const give = (found: readonly LookupAddress[]) => {
      const [first = { address: "", family: 0 }] = found;
      if (options.all) done(null, [...found]);
      else done(null, first.address, first.family);
    };
    within(asked.get(host) ?? ask(host)).then(give, (error: unknown) => {
      const before = known.get(host);
      if (before) give(before);
      else done(error instanceof Error ? error : new Error(String(error)), []);
    });
  };
}

async function within<T>(answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const silent = Object.assign(new Error(`no answer within ${resolveMs / 1000} s`), {
    syscall: "getaddrinfo",
  });
  const timer = setTimeout(() => late.reject(silent), resolveMs);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
