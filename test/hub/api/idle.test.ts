import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { endIdle } from "../../../src/hub/api/idle.ts";

test("a connection that asks for nothing is ended, and one with an open stream when that is over", async (t) => {
  const server = createServer();
  // The watcher's request comes in that time, on a machine that is busy, too.
  endIdle(server, 500);
  const asked = Promise.withResolvers<ServerHttp2Stream>();
  server.on("stream", (stream) => {
    stream.respond({ ":status": 200 });
    asked.resolve(stream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ended = (session: ClientHttp2Session) => once(session, "close");

  const watcher = connect(url);
  watcher.request({ ":path": "/watch" }).resume();
  const stream = await asked.promise;
  // Two that do nothing, one after the other: the watcher has been silent for longer than both were let be.
  await ended(connect(url));
  await ended(connect(url));
  assert.equal(watcher.closed, false);
  stream.end();
  await ended(watcher);
});
