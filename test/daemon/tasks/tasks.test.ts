import { test } from "node:test";
import { FakeSandboxes } from "../../fakes/sandboxes.ts";
import { tasksSuite } from "./tasks.suite.ts";

test("agents and tasks, on cells that are plain processes", async (t) => {
  await using cells = new FakeSandboxes();
  await tasksSuite(t, {
    cells,
    engine: { image: () => Promise.resolve({ id: "sha256:fake", repoDigests: [] }) },
    images: { pull: () => Promise.resolve(), used: () => {} },
    image: "fake:1",
    cellIds: () => Promise.resolve([...cells.cells.keys()]),
  });
});
