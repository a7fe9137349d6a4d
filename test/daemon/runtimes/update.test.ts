import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DesiredState, RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { ask, leftOf, live, newName, spec } from "./life.ts";

const engine = await sharedEngine();
const idle = await idleImage(engine);
const script = await scriptImage(engine);
after(() => engine[Symbol.asyncDispose]());

const provenMs = 300;
const says = (DO: string) => [{ name: "DO", value: DO }];
const idles = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done";

test("what can be changed in place is, and its program goes on", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs });
  const { runtimes } = life;
  const name = newName();
  const { runtime: before } = await runtimes.create(spec(idle, { name }), ask());
  const changed = {
    ...{ resources: { memoryBytes: 64n << 20n, pidsLimit: 50n, cpuWeight: 200, cpuset: "0" } },
    ...{ labels: [{ key: "line", value: "1" }], stopGraceMs: 2000, health: { tcp: { port: 9 } } },
  };
  const { runtime, changes, interrupted } = await runtimes.update(
    spec(idle, { name, ...changed }),
    {},
    ask(),
  );
  assert.deepEqual(
    changes.map(({ field, inPlace }) => [field, inPlace]),
    ["resources", "stop_grace_ms", "labels", "health"].map((field) => [`spec.${field}`, true]),
  );
  assert.equal(interrupted, false);
  assert.deepEqual([runtime.containerId, runtime.startedAt], [before.containerId, before.startedAt]);
  const { HostConfig } = await engine.docker.getContainer(runtime.containerId).inspect();
  assert.deepEqual([HostConfig.Memory, HostConfig.PidsLimit, HostConfig.CpusetCpus], [64 << 20, 50, "0"]);
  assert.deepEqual(life.changes(name), ["CREATED", "STARTED", "UPDATED"]);
  const same = await runtimes.update(spec(idle, { name, ...changed }), {}, ask());
  assert.deepEqual([same.changes, same.interrupted], [[], false]);
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});

test("a new version replaces the old one, and is confirmed when it has run for long enough", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs });
  const { runtimes } = life;
  const name = newName();
  const { runtime: before } = await runtimes.create(spec(idle, { name }), ask());
  const next = spec(script, { name, env: says(idles) });
  const { runtime, changes, interrupted } = await runtimes.update(next, {}, ask());
  assert.deepEqual(
    changes.map(({ field, inPlace }) => [field, inPlace]),
    [
      ["spec.image", false],
      ["spec.env", false],
    ],
  );
  assert.equal(interrupted, true);
  assert.notEqual(runtime.containerId, before.containerId);
  assert.equal(runtime.probation, undefined);
  assert.deepEqual([runtime.phase, runtime.restarts], [RuntimePhase.RUNNING, 0]);
  assert.deepEqual(life.changes(name), [
    ...["CREATED", "STARTED", "UPDATED", "RECREATED", "STARTED", "CONFIRMED"],
  ]);
  assert.equal((await leftOf(engine, name)).length, 3);
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});

test("a new version that ends is rolled back, with its last words", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs });
  const { runtimes } = life;
  const name = newName();
  const { runtime: before } = await runtimes.create(spec(idle, { name }), ask());
  const id = `bad-${name}`;
  const bad = spec(script, { name, env: says("echo no licence; exit 3") });
  const failed = {
    kind: "invalid",
    message: new RegExp(
      `^the update of runtime ${name} was rolled back: its program ended with exit code 3; its last output: no licence$`,
    ),
  };
  await assert.rejects(runtimes.update(bad, {}, ask({ id })), failed);
  const now = await runtimes.get(name, ask().signal);
  assert.deepEqual(
    [now.phase, now.imageId, now.specHash],
    [RuntimePhase.RUNNING, before.imageId, before.specHash],
  );
  await assert.rejects(runtimes.update(bad, {}, ask({ id })), failed, "taken up again, it tells the same");
  assert.deepEqual(life.changes(name).slice(2), [
    ...["UPDATED", "RECREATED", "STARTED", "EXITED", "ROLLED_BACK", "RECREATED", "STARTED"],
  ]);
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("desired", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs });
  const { runtimes } = life;
  const name = newName();
  const { runtime: made } = await runtimes.create(spec(idle, { name, desired: DesiredState.STOPPED }), ask());
  assert.deepEqual(
    [made.phase, made.startedAt, made.spec?.desired],
    [RuntimePhase.STOPPED, undefined, DesiredState.STOPPED],
  );
  assert.deepEqual(life.changes(name), ["CREATED"]);
  const { runtime } = await runtimes.update(spec(idle, { name, desired: DesiredState.RUNNING }), {}, ask());
  assert.deepEqual([runtime.phase, runtime.containerId], [RuntimePhase.RUNNING, made.containerId]);
  const again = await runtimes.update(
    spec(script, { name, env: says(idles), desired: DesiredState.STOPPED }),
    {},
    ask(),
  );
  assert.deepEqual([again.runtime.phase, again.interrupted], [RuntimePhase.STOPPED, true]);
  const started = await runtimes.start(name, ask());
  assert.equal(started.phase, RuntimePhase.RUNNING);
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});
