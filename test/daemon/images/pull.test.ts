import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { addBusybox, addFile, emptyLayer } from "../../../tools/layer.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { startRegistry } from "../../fixtures/registry.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "../runtimes/life.ts";

const engine = await startEngine({ name: "pull" });
const registry = await startRegistry(engine);
after(async () => {
  await registry[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

/** An image that is not on the engine yet, of some megabytes that do not compress. */
async function newImage(): Promise<{ image: string; layerBytes: number }> {
  const layer = emptyLayer();
  await addBusybox(layer);
  addFile(layer, "/ballast", randomBytes(3 << 20));
  const name = newName();
  const command = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"];
  const { layerBytes } = await registry.add({ ...{ name, tag: "1", layers: [layer], command } });
  return { image: `${registry.address}/${name}:1`, layerBytes };
}

test("an image that is missing is pulled, and the bytes are told as they come", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { image, layerBytes } = await newImage();
  const name = newName();
  const goOn = registry.holdLayers();
  const told: [number, number][] = [];
  const creating = life.runtimes.create(
    spec(image, { name }),
    ask({
      progress: (phase, done = 0, total = 0) => {
        if (phase === "pulling image") told.push([done, total]);
      },
    }),
  );
  await until("a part of the layer", () => told.some(([done]) => done > 0 && done < layerBytes));
  const { phase, reason } = await life.runtimes.get(name, ask().signal);
  assert.equal(phase, RuntimePhase.PULLING);
  assert.match(reason, /^pulling image: \d of \d MB$/);
  goOn();
  assert.equal((await creating).runtime.phase, RuntimePhase.RUNNING);
  assert.deepEqual(told.at(-1), [layerBytes, layerBytes]);
  assert.deepEqual(
    told.map(([done]) => done),
    told.map(([done]) => done).toSorted((a, b) => a - b),
  );
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a create that is called off while it pulls fails at once, leaves nothing, and ends the pull", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { image } = await newImage();
  const name = newName();
  const goOn = registry.holdLayers(0, { drips: true });
  const cancel = new AbortController();
  const reason = failure("cancelled", "the command was called off");
  const creating = life.runtimes.create(
    spec(image, { name }),
    ask({ signal: cancel.signal, progress: (_, done = 0) => void (done > 0 && cancel.abort(reason)) }),
  );
  await assert.rejects(creating, reason);
  assert.deepEqual(life.changes(name), ["UNDONE"]);
  assert.deepEqual(await leftOf(engine, name), []);
  await until("the engine's end of the pull", () => registry.brokenOff > 0);
  goOn();
});

test("an image that the registry does not have fails at once, in a sentence", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const name = newName();
  const image = `${registry.address}/no/such:1`;
  await assert.rejects(life.runtimes.create(spec(image, { name }), ask()), {
    kind: "not_found",
    message: /^could not pull 127.*\/no\/such:1: the registry does not have it: manifest unknown/,
  });
  assert.deepEqual(await life.runtimes.list(ask().signal), []);
});

test("a registry that is not reachable is tried again, and named when the time runs out", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const name = newName();
  const outOfTime = new AbortController();
  const creating = life.runtimes.create(
    spec("127.0.0.1:1/plc:1", { name }),
    ask({ signal: outOfTime.signal }),
  );
  await until("a second attempt", async () => {
    const { reason } = await life.runtimes.get(name, ask().signal);
    return /the engine does not reach the registry/.test(reason);
  });
  outOfTime.abort(failure("deadline", "the command was not done within its budget of 1000 ms"));
  await assert.rejects(creating, {
    kind: "unavailable",
    message:
      /^could not pull 127.*: the engine does not reach the registry: .*127\.0\.0\.1:1.*; it stayed so until the command's time ran out$/,
  });
  assert.deepEqual(await life.runtimes.list(ask().signal), []);
});
