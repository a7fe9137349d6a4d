import assert from "node:assert/strict";
import { test } from "node:test";
import { label } from "../../../src/wire/labels.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { openRoom } from "./room.ts";

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
