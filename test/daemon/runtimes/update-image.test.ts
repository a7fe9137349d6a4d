import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { RuntimePhase, RuntimeProfile } from "../../../gen/edge/v1/runtimes_pb.ts";
import { addBusybox, addFile, emptyLayer } from "../../../tools/layer.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { type Registry, startRegistry } from "../../fixtures/registry.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "./life.ts";

const engine = await startEngine({ name: "update-image" });
after(() => engine[Symbol.asyncDispose]());

const idles = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done";

/** Puts a new image under a tag of a registry. */
async function publish(registry: Registry, name: string, tag: string, script = idles): Promise<string> {
  const layer = emptyLayer();
  await addBusybox(layer);
  addFile(layer, "/ballast", randomBytes(1 << 20));
  await registry.add({ name, tag, layers: [layer], command: ["/bin/sh", "-c", script] });
  return `${registry.address}/${name}:${tag}`;
}

const volumesOf = async (name: string) =>
  (await leftOf(engine, name))
    .filter((one) => one.startsWith("volume/"))
    .map((one) => one.split(".").slice(1).join("."));

test("the old version goes on while the new one is pulled; a bad one is rolled back to its image and its volumes", async () => {
  using folder = tempFolder();
  await using registry = await startRegistry(engine);
  await using life = live(folder.path, engine.socketPath, { provenMs: 2_000 });
  const { runtimes } = life;
  const name = newName();
  const [good, bad] = [
    await publish(registry, name, "1"),
    await publish(registry, name, "2", "sleep 0.2; echo no licence; exit 3"),
  ];
  const init = { name, profile: RuntimeProfile.OPENPLC };
  const { runtime: before } = await runtimes.create(spec(good, init), ask());
  const ours = await volumesOf(name);
  assert.equal(ours.length, 4);

  const goOn = registry.holdLayers();
  let isPulling = false;
  const progress = (phase: string, done = 0) => {
    if (phase === "pulling image" && done > 0) isPulling = true;
  };
  const updating = runtimes.update(spec(bad, init), {}, ask({ progress }));
  await until("a part of the layer", () => isPulling);
  const during = await runtimes.get(name, ask().signal);
  assert.deepEqual(
    [during.phase, during.containerId, during.probation],
    [RuntimePhase.RUNNING, before.containerId, undefined],
  );
  goOn();
  await assert.rejects(updating, { kind: "invalid", message: /exit code 3; its last output: no licence$/ });
  const back = await runtimes.get(name, ask().signal);
  assert.deepEqual(
    [back.phase, back.imageId, back.imageDigest],
    [RuntimePhase.RUNNING, before.imageId, before.imageDigest],
  );
  await until("only its own volumes are left", async () => (await volumesOf(name)).join() === ours.join());

  const better = await publish(registry, name, "3");
  await runtimes.update(spec(better, init), {}, ask());
  await until("the old version's volumes are gone", async () => {
    const now = await volumesOf(name);
    return now.length === 4 && now.filter((one) => one !== "").every((one) => !ours.includes(one));
  });
  const missing = spec(`${registry.address}/${name}:4`, init);
  await assert.rejects(runtimes.update(missing, {}, ask()), { kind: "not_found" });
  assert.equal((await runtimes.get(name, ask().signal)).probation, undefined);
  assert.equal(life.changes(name).filter((fact) => fact === "UPDATED").length, 2, "nothing was changed");
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});

test("a tag that has moved is noticed when the registry is asked, and not before", async () => {
  using folder = tempFolder();
  await using stack = new AsyncDisposableStack();
  const registry = stack.use(await startRegistry(engine));
  await using life = live(folder.path, engine.socketPath, { provenMs: 300 });
  const { runtimes } = life;
  const name = newName();
  const image = await publish(registry, name, "1");
  const { runtime: before } = await runtimes.create(spec(image, { name }), ask());
  const unmoved = await runtimes.update(spec(image, { name }), { pull: true }, ask());
  assert.deepEqual([unmoved.changes, unmoved.interrupted], [[], false]);
  await publish(registry, name, "1");
  const unasked = await runtimes.update(spec(image, { name }), {}, ask());
  assert.deepEqual(unasked.changes, []);
  const command = { id: `moved-${name}` };
  const { runtime, changes, interrupted } = await runtimes.update(
    spec(image, { name }),
    { pull: true },
    ask(command),
  );
  assert.deepEqual([changes.map(({ field }) => field), interrupted], [["spec.image"], true]);
  assert.deepEqual(
    [changes[0]?.before, changes[0]?.after],
    [before, runtime].map(({ imageDigest }) => `"${image}@${imageDigest}"`),
  );
  assert.notEqual(runtime.imageDigest, before.imageDigest);
  assert.equal(runtime.specHash, before.specHash);
  const again = await runtimes.update(spec(image, { name }), { pull: true }, ask(command));
  assert.deepEqual(again.changes, changes, "taken up again, it tells the same");

  await stack.disposeAsync();
  const away = await runtimes.update(
    spec(image, { name, command: ["sh", "-c", idles] }),
    { pull: true },
    ask(),
  );
  assert.equal(
    away.runtime.imageDigest,
    runtime.imageDigest,
    "what is there is used when the registry is away",
  );
  await runtimes.delete(name, { keepVolume: false }, ask());
});
