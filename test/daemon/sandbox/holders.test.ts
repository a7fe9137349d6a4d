import assert from "node:assert/strict";
import { test } from "node:test";
import { label } from "../../../src/wire/labels.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { openRoom } from "./room.ts";

test("a namespace that somebody else is just removing is gone for who wants it gone", async () => {
  await using engine = await sharedEngine();
  await using proxy = await engineProxy(engine.socketPath);
  using folder = tempFolder();
  const first = openRoom(folder.path, proxy);
  const { instanceId } = first;
  const filters = { label: [`${label.instance}=${instanceId}`] };
  const left = async () => (await engine.docker.listContainers({ all: true, filters })).length;
  first.sandboxes.expect();
  await until("some are made ahead", async () => (await left()) === 2);
  proxy.decide = (line) => (line.startsWith("DELETE") ? "fail-instead" : "pass");
  await first[Symbol.asyncDispose]();
  await using one = openRoom(folder.path, engine, { instanceId });
  await using other = openRoom(folder.path, engine, { instanceId });
  await Promise.all([one, other].map((room) => room.sandboxes.found(room.signal)));
  await until("none is left", async () => (await left()) === 0);
});

test("a room that is closed while the engine makes a namespace ahead leaves nothing", async () => {
  await using engine = await sharedEngine();
  await using proxy = await engineProxy(engine.socketPath);
  using folder = tempFolder();
  const asks = () => proxy.seen.filter((line) => line === "POST /containers/create").length;
  for (let nth = 0; nth < 4; nth++) {
    const room = openRoom(folder.path, proxy);
    const before = asks();
    room.sandboxes.expect();
    await until("the engine is asked for one", () => asks() > before);
    await room[Symbol.asyncDispose]();
    const filters = { label: [`${label.instance}=${room.instanceId}`] };
    assert.deepEqual(await engine.docker.listContainers({ all: true, filters }), []);
  }
});
