import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { addBusybox, addFile, emptyLayer, type Layer } from "../../../tools/layer.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import { type Registry, startRegistry } from "../../fixtures/registry.ts";
import { until } from "../../journeys/until.ts";
import { ask, live, newName, spec } from "../runtimes/life.ts";

const engine = await startEngine({ name: "trouble" });
const [one, other] = [await startRegistry(engine), await startRegistry(engine)];
after(async () => {
  for (const registry of [one, other]) await registry[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

/** A layer of a megabyte that nobody else has. */
function ballast(): Layer {
  const layer = emptyLayer();
  addFile(layer, "/ballast", randomBytes(1 << 20));
  return layer;
}

async function withShell(): Promise<Layer> {
  const layer = ballast();
  await addBusybox(layer);
  return layer;
}

async function newImage(registry: Registry, layers: readonly Layer[]): Promise<string> {
  const name = newName();
  const command = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"];
  await registry.add({ name, tag: "1", layers, command });
  return `${registry.address}/${name}:1`;
}

test("a pull that hangs blocks neither the healing of others nor a pull from another registry", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { images: { pullsAtOnce: 2 } });
  const [healed, hanging, quick] = [newName(), newName(), newName()];
  await life.runtimes.create(spec(await idleImage(engine), { name: healed }), ask());
  const goOn = one.holdLayers();
  let arrived = 0;
  const creating = life.runtimes.create(
    spec(await newImage(one, [await withShell()]), { name: hanging }),
    ask({
      progress: (_, done = 0) => {
        arrived = Math.max(arrived, done);
      },
    }),
  );
  await until("half of a layer", () => arrived > 0);
  const phaseOf = async (name: string) => (await life.runtimes.get(name, ask().signal)).phase;

  const filters = { label: [`edge.runtime=${healed}`] };
  const [container] = await engine.docker.listContainers({ filters });
  await engine.docker.getContainer(container?.Id ?? "").kill();
  await until("its next start", () => life.changes(healed).filter((kind) => kind === "STARTED").length === 2);
  assert.equal(await phaseOf(hanging), RuntimePhase.PULLING);

  const image = await newImage(other, [await withShell()]);
  const { runtime } = await life.runtimes.create(spec(image, { name: quick }), ask());
  assert.equal(runtime.phase, RuntimePhase.RUNNING);
  assert.equal(await phaseOf(hanging), RuntimePhase.PULLING);

  goOn();
  assert.equal((await creating).runtime.phase, RuntimePhase.RUNNING);
  for (const name of [healed, hanging, quick]) await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a pull of which nothing comes is given up, and tried again within the same command", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { images: { silenceMs: 1_000 } });
  const name = newName();
  const image = await newImage(one, [await withShell()]);
  const goOn = one.holdLayers();
  const told: string[] = [];
  const creating = life.runtimes.create(
    spec(image, { name }),
    ask({ progress: (phase) => void told.push(phase) }),
  );
  await until("it is given up", () => told.some((phase) => phase.startsWith("trying again: ")));
  const sentence = told.find((phase) => phase.startsWith("trying again: "));
  assert.equal(sentence, `trying again: the registry ${one.address} sent nothing of ${image} for 1 s`);
  goOn();
  assert.equal((await creating).runtime.phase, RuntimePhase.RUNNING);
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("at most so many are pulled at once, and one that hangs gives its place to the next", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { images: { pullsAtOnce: 1, silenceMs: 2_500 } });
  const [hanging, waiting] = [newName(), newName()];
  // Made before: the second is to come while the first hangs, and before it is given up.
  const images = [await newImage(one, [await withShell()]), await newImage(other, [await withShell()])];
  const goOn = one.holdLayers();
  const happened: string[] = [];
  const creates = async (name: string, image = "") =>
    life.runtimes.create(
      spec(image, { name }),
      ask({
        progress: (phase, done = 0, _total, detail) =>
          void happened.push(`${name} ${phase} ${detail} ${done}`),
      }),
    );
  const has = (name: string, says: RegExp) =>
    happened.findIndex((one) => one.startsWith(name) && says.test(one));
  const first = creates(hanging, images[0]);
  await until("half of a layer", () => has(hanging, / [1-9]\d*$/) >= 0);
  const second = creates(waiting, images[1]);
  await until("it waits", () => has(waiting, /waits for other pulls/) >= 0);
  assert.equal((await second).runtime.phase, RuntimePhase.RUNNING);
  const [givenUp, begins] = [has(hanging, /trying again: .* sent nothing/), has(waiting, / [1-9]\d*$/)];
  assert.ok(givenUp >= 0 && givenUp < begins, happened.join("\n"));
  goOn();
  assert.equal((await first).runtime.phase, RuntimePhase.RUNNING);
  for (const name of [hanging, waiting]) await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a layer that breaks off is taken up where it broke, and one that is there is not asked for", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const [before, name] = [newName(), newName()];
  const shared = await withShell();
  await life.runtimes.create(spec(await newImage(one, [shared]), { name: before }), ask());
  const image = await newImage(one, [shared, ballast()]);
  const [asked, details] = [one.asked.length, new Set<string>()];
  one.breakLayers(1);
  await life.runtimes.create(
    spec(image, { name }),
    ask({ progress: (_phase, _done, _total, detail = "") => void details.add(detail) }),
  );
  const requests = one.asked.slice(asked);
  assert.deepEqual(
    requests.map(({ layer }) => layer),
    [1, 1],
  );
  assert.ok((requests[1]?.from ?? 0) > 1 << 18, "the engine went on where it broke off");
  assert.ok([...details].some((detail) => detail.startsWith("1 of 2 layers were there")));
  for (const made of [before, name]) await life.runtimes.delete(made, { keepVolume: false }, ask());
});
