import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { type EngineAddress, sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, live, newName, spec } from "./life.ts";

/** As in the loop. */
const safetyMs = 30_000;

let engine: EngineAddress & AsyncDisposable;
before(async () => {
  engine = await sharedEngine();
});
after(() => engine[Symbol.asyncDispose]());

test("news of one runtime have only that one looked at", async () => {
  using folder = tempFolder();
  await using proxy = await engineProxy(engine.socketPath);
  // The look at everything that comes in any case does not come in between.
  const sleep: Clock["sleep"] = (ms, signal) => systemClock.sleep(ms === safetyMs ? Infinity : ms, signal);
  await using life = live(folder.path, proxy.socketPath, { clock: { ...systemClock, sleep } });
  const image = await idleImage(engine);
  const names = [newName(), newName(), newName()];
  const made = await Promise.all(names.map((name) => life.runtimes.create(spec(image, { name }), ask())));
  const [one = "", ...others] = made.map(({ runtime }) => runtime.containerId);
  // What the creates left to look at is over when the engine is asked nothing for a while.
  let [known, calm] = [0, 0];
  await until("the loop is at rest", () => {
    calm = known === proxy.seen.length ? calm + 1 : 0;
    known = proxy.seen.length;
    return calm > 40;
  });
  await engine.docker.getContainer(one).kill();
  await until(
    "it was restarted",
    () =>
      life
        .changes(names[0] ?? "")
        .slice(-2)
        .join() === "EXITED,STARTED",
  );
  const since = proxy.seen.slice(known);
  assert.ok(since.includes(`GET /containers/${one}/json`), since.join("\n"));
  for (const other of others) assert.ok(!since.includes(`GET /containers/${other}/json`), since.join("\n"));
  await Promise.all(names.map((name) => life.runtimes.delete(name, { keepVolume: false }, ask())));
});
