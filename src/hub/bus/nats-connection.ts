import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
} from "@nats-io/transport-node";
import { hostOf, portOf } from "../../wire/proxy.ts";

export interface NatsServers {
  /** One or more URLs with commas between; of one cluster. */
  url: string;
  /** PEM of the authority of the servers. */
  ca?: string;
  /** What a .creds file holds. */
  credentials?: string;
}

/** How long a server may take to answer, in milliseconds, when it is dialled and while it is used. */
export const dialMs = 2_000;
/** Two pings without an answer, and the server is away. */
const pingEveryMs = 2_000;

/** A connection to one of the servers, of which the client says when it ends. Rejects when none can be reached in time. */
export async function connectNats(servers: NatsServers, signal: AbortSignal): Promise<NatsConnection> {
  const urls = servers.url.split(",").map((one) => new URL(one));
  const speaking = await speakingOf(
    urls.map(addressOf),
    AbortSignal.any([signal, AbortSignal.timeout(dialMs)]),
  );
  return await connect(connectionOptions(servers, urls, speaking));
}

function addressOf({ hostname, port }: URL): string {
  return `${hostname}:${port || 4222}`;
}

/**
 * Those that say something to whoever dials them, as a NATS server does first. The client would leave its connection open to one that
 * says nothing (https://github.com/nats-io/nats.js/issues/64), and one more with each attempt: it dials only whom this names.
 */
async function speakingOf(addresses: readonly string[], signal: AbortSignal): Promise<string[]> {
  const heard = await Promise.allSettled(addresses.map((address) => firstWord(address, signal)));
  const speaking = addresses.filter((_, at) => heard[at]?.status === "fulfilled");
  const [silent] = heard.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  if (speaking.length === 0) throw silent;
  return speaking;
}

async function firstWord(address: string, signal: AbortSignal): Promise<void> {
  const socket = connectTcp({ host: hostOf(address), port: portOf(address) });
  socket.on("error", () => {}); // One that comes when nobody waits for a word any more.
  try {
    await once(socket, "data", { signal });
  } finally {
    socket.destroy();
  }
}

function connectionOptions(
  { ca, credentials }: NatsServers,
  urls: readonly URL[],
  addresses: string[],
): ConnectionOptions {
  const [first] = urls;
  const isTls = urls.some(({ protocol }) => protocol === "tls:");
  const user = decodeURIComponent(first?.username ?? "");
  const pass = decodeURIComponent(first?.password ?? "");
  return {
    servers: addresses,
    name: "orchestrator-hub",
    noEcho: true,
    reconnect: false, // The bus does: so that what is said while nobody is there is dropped, and not piled up.
    timeout: dialMs,
    pingInterval: pingEveryMs,
    maxPingOut: 2,
    ...(isTls && { tls: ca === undefined ? {} : { ca } }),
    ...(pass !== "" ? { user, pass } : user !== "" && { token: user }),
    ...(credentials !== undefined && {
      authenticator: credsAuthenticator(new TextEncoder().encode(credentials)),
    }),
  };
}
