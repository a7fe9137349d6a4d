import { once } from "node:events";
import { createServer } from "node:net";

/** The first free TCP port of the loopback address from this one on. */
export async function freePort(from: number): Promise<number> {
  for (let port = from; port < 65_535; port++) {
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${from} on is free`);
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, "listening");
  server.listen(port, "127.0.0.1");
  try {
    await listening;
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
