import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Runtime, RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { digestFor } from "../../../src/daemon/images/index.ts";
import { addBusybox, addFile, emptyLayer } from "../../../tools/layer.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { startRegistry } from "../../fixtures/registry.ts";
import { until } from "../../journeys/until.ts";
import { ask, live, newName, spec } from "./life.ts";

const engine = await startEngine({ name: "image" });
const registry = await startRegistry(engine);
after(async () => {
  await registry[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

const { docker } = engine;

/** Puts an image that writes its version under the tag `1`. */
async function push(name: string, version: string): Promise<string> {
  const layer = emptyLayer();
  await addBusybox(layer);
  addFile(layer, "/version", Buffer.from(`${version}\n`));
  const command = ["/bin/sh", "-c", "cat /version; trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"];
  await registry.add({ name, tag: "1", layers: [layer], command });
  return `${registry.address}/${name}:1`;
}

async function pullTag(image: string): Promise<void> {
  const progress = await docker.pull(image);
  await new Promise<void>((done, fail) =>
    docker.modem.followProgress(progress, (error) => (error ? fail(error) : done())),
  );
}

const another = ({ runtimes }: ReturnType<typeof live>, name: string, before: string) =>
  until("another container", async () => {
    const now = await runtimes.get(name, ask().signal);
    return now.phase === RuntimePhase.RUNNING && now.containerId !== before && now;
  });

const saidBy = (id: string, word: string) =>
  until(`its word ${word}`, async () =>
    String(await docker.getContainer(id).logs({ stdout: true })).includes(word),
  );

test("what runs stays what its tag meant at the create, also when the tag moves and the image is gone", async () => {
  using folder = tempFolder();
  const name = newName();
  const image = await push(name, "old");
  let first: Runtime | undefined;
  let second: Runtime | undefined;
  {
    await using life = live(folder.path, engine.socketPath);
    const { runtime } = await life.runtimes.create(spec(image, { name }), ask());
    assert.match(runtime.imageDigest, /^sha256:[0-9a-f]{64}$/);

    await push(name, "new");
    await pullTag(image);
    assert.notEqual((await docker.getImage(image).inspect()).Id, runtime.imageId, "the tag has moved");
    await docker.getContainer(runtime.containerId).remove({ force: true });
    const again = await another(life, name, runtime.containerId);
    assert.deepEqual([again.imageId, again.imageDigest], [runtime.imageId, runtime.imageDigest]);
    await saidBy(again.containerId, "old");
    [first, second] = [runtime, again];
  }
  assert.ok(first && second);
  // Between two lives of the daemon, so that nobody makes it again before its image is gone, too.
  await docker.getContainer(second.containerId).remove({ force: true });
  await docker.getImage(`${image.replace(/:1$/, "")}@${first.imageDigest}`).remove({ force: true });
  await assert.rejects(docker.getImage(first.imageId).inspect(), { statusCode: 404 });
  await using next = live(folder.path, engine.socketPath);
  const third = await another(next, name, second.containerId);
  assert.deepEqual([third.imageId, third.imageDigest], [first.imageId, first.imageDigest]);
  await saidBy(third.containerId, "old");
  await next.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a digest is that of the image's own name, however an engine shortens it", () => {
  const [a, b] = [`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`];
  assert.equal(digestFor("docker.io/library/busybox:1", [`other/busybox@${b}`, `busybox@${a}`]), a);
  assert.equal(digestFor("localhost:5000/plc:4", [`localhost:5000/plc@${a}`, `localhost:5000/plc@${b}`]), a);
  assert.equal(
    digestFor(`localhost:5000/plc@${b}`, [`localhost:5000/plc@${a}`, `localhost:5000/plc@${b}`]),
    b,
  );
  assert.equal(digestFor("plc:4", [`ghcr.io/owner/plc@${a}`]), "");
});
