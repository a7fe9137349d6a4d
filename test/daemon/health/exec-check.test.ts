import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { Engine } from "../../../src/daemon/engine/index.ts";
import { execChecker } from "../../../src/daemon/health/exec-check.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { idleImage } from "../../fixtures/images.ts";

test("nothing listens for the end of a check that is over", async (t) => {
  await using started = await startEngine({ name: "exec-check" });
  const container = await started.docker.createContainer({ Image: await idleImage(started) });
  await container.start();
  using engine = new Engine(`unix://${started.socketPath}`);
  const check = execChecker(engine, container.id, { command: ["true"], timeoutMs: 60_000 });
  const any = t.mock.method(AbortSignal, "any");
  assert.deepEqual((await check(new AbortController().signal)).isWell, true);
  const made = any.mock.calls.flatMap(({ result }) => result ?? []);
  assert.ok(made.length > 0);
  assert.deepEqual(
    made.flatMap((signal) => getEventListeners(signal, "abort")),
    [],
  );
});
