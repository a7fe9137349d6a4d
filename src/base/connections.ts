import type { Server, Socket } from "node:net";

/**
 * The connections that a server has open, from the moment when they are taken: also those that never say a word, or never end a
 * handshake. A server that closes waits for each, so that whoever closes it ends them.
 */
export function connectionsOf(server: Server): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  return open;
}
