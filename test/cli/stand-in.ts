/** Servers that speak our contract for tests of the CLI: the real transport, TLS and codec, with answers of the test's own. */

import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { selfSigned } from "../fixtures/certificate.ts";

export type Routes = (router: ConnectRouter) => void;

export interface StandIn extends AsyncDisposable {
  /** Ends it with all its connections, as a machine that loses its power. */
  cut(): Promise<void>;
}

/** What a CLI needs to find a stand-in hub: its files in a folder that is laid out as a hub's own. */
export interface StandInHub extends StandIn {
  port: number;
  caFile: string;
  token: string;
}

const token = "operator-token-of-a-test";

/** A hub's API with TLS and a certificate of its own, and a hub's files in `folder`. */
export async function standInHub(folder: string, routes: Routes, port = 0): Promise<StandInHub> {
  const [caFile, keyFile] = [join(folder, "ca.pem"), join(folder, "key.pem")];
  if (port === 0) selfSigned(caFile, keyFile, "IP:127.0.0.1");
  writeFileSync(join(folder, "admin.token"), `${token}\n`, { mode: 0o600 });
  const tls = { cert: readFileSync(caFile), key: readFileSync(keyFile), minVersion: "TLSv1.3" } as const;
  const server = createSecureServer(tls, connectNodeAdapter({ routes }));
  return { ...(await listen(server, { host: "127.0.0.1", port })), caFile, token };
}

/** A daemon's local socket. */
export async function standInDaemon(path: string, routes: Routes): Promise<StandIn> {
  return await listen(createServer(connectNodeAdapter({ routes })), { path });
}

async function listen(
  server: Http2Server,
  at: { path: string } | { host: string; port: number },
): Promise<StandIn & { port: number }> {
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {});
    session.once("close", () => sessions.delete(session));
  });
  server.listen(at);
  await once(server, "listening");
  const cut = async (): Promise<void> => {
    const closed = server.listening ? once(server, "close") : Promise.resolve();
    server.close();
    for (const session of sessions) session.destroy();
    await closed;
  };
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { port, cut, [Symbol.asyncDispose]: cut };
}
