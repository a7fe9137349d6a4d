import type { Http2SecureServer, Http2Server } from "node:http2";

/**
 * Ends connections on which nothing was asked for `idleMs`: they cost nobody anything but the hub, which has only so many file
 * descriptors, and need no token. A watch that is open is no idleness, however long it has nothing to tell.
 */
export function endIdle(server: Http2Server | Http2SecureServer, idleMs: number): void {
  server.on("session", (session) => {
    let open = 0;
    session.on("stream", (stream) => {
      open++;
      stream.once("close", () => {
        open--;
        waitAgain();
      });
    });
    const waitAgain = () => session.setTimeout(idleMs);
    session.on("timeout", () => {
      if (open === 0) session.close();
    });
    waitAgain();
  });
}
