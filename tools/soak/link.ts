/** The way from the daemon to the hub's line, which breaks when it is told to. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Link extends AsyncDisposable {
  /** `127.0.0.1:<port>`. */
  address: string;
  /** Breaks all connections; the next one is let through. */
  cut(): void;
  /** Breaks all connections, and lets none through until `mend`. */
  close(): void;
  /** Carries nothing any more, and says so to nobody, until `mend`. */
  freeze(): void;
  /** Carries again. */
  mend(): void;
}

export async function openLink(port: number): Promise<Link> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((near) => {
    if (!isOpen) {
      near.destroy();
      return;
    }
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => {});
      one.once("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address() as AddressInfo; // It listens on TCP.
  return {
    address: `127.0.0.1:${own}`,
    cut,
    close() {
      isOpen = false;
      cut();
    },
    freeze() {
      for (const socket of sockets) socket.pause();
    },
    mend() {
      isOpen = true;
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
