import { test } from "node:test";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { busyboxImage } from "../../fixtures/images.ts";
import { openRoom } from "../sandbox/room.ts";
import { tasksSuite } from "./tasks.suite.ts";

test("agents and tasks, on real cells", { timeout: 120_000 }, async (t) => {
  await using engine = await sharedEngine();
  using folder = tempFolder();
  await using room = openRoom(folder.path, engine);
  const { sandboxes } = room;
  await tasksSuite(t, {
    cells: sandboxes,
    engine: room.engine,
    images: { pull: () => Promise.resolve(), used: () => {} },
    image: await busyboxImage(engine),
    cellIds: async () => (await sandboxes.list(AbortSignal.timeout(10_000))).map(({ id }) => id),
  });
});
