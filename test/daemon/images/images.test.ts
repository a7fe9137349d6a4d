import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Engine } from "../../../src/daemon/engine/engine.ts";
import { judgeDisk } from "../../../src/daemon/images/disk-guard.ts";
import { planCleanUp } from "../../../src/daemon/images/image-cleanup.ts";
import { Images } from "../../../src/daemon/images/images.ts";
import { ImagesStore, imagesSchema } from "../../../src/daemon/images/images-store.ts";
import { addFile, emptyLayer } from "../../../tools/layer.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import { startRegistry } from "../../fixtures/registry.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "../runtimes/life.ts";

const engine = await startEngine({ name: "images" });
const registry = await startRegistry(engine);
after(async () => {
  await registry[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

async function newImage(): Promise<string> {
  const layer = emptyLayer();
  addFile(layer, "/ballast", randomBytes(1000));
  const name = newName();
  await registry.add({ name, tag: "1", layers: [layer], command: ["/none"] });
  return `${registry.address}/${name}:1`;
}

test("the disk decides: fine, clean, refuse; a disk that cannot be seen refuses nothing", () => {
  const limits = { cleanAbovePercent: 80, refuseAbovePercent: 92 };
  const judge = (usedPercent: number) => judgeDisk({ usedPercent }, limits);
  assert.deepEqual([80, 80.1, 92, 92.1].map(judge), ["fine", "clean", "clean", "refuse"]);
  assert.equal(judgeDisk(undefined, { cleanAbovePercent: 0, refuseAbovePercent: 0 }), "fine");
});

test("an image goes when nobody has used it for long enough, and not before", () => {
  const [a, b, c] = ["a", "b", "c"].map((imageId, index) => ({
    imageId,
    reference: "r",
    usedAt: index * 10,
  }));
  assert.ok(a && b && c);
  const plan = (kept: string[], now: number) =>
    planCleanUp([a, b, c], { kept: new Set(kept), now, keepUnusedMs: 100 });
  assert.deepEqual(plan([], 99), []);
  assert.deepEqual(plan([], 110), [a, b]);
  assert.deepEqual(plan(["a"], 1000), [b, c]);
  assert.deepEqual(plan([], -5), []); // The clock was set back.
});

/** The room's images on a state file of its own, of which no runtime is wished for unless said otherwise. */
function imagesIn(folder: string, { clock = systemClock, cleanAbovePercent = 100 } = {}) {
  const sql = Sql.open(join(folder, "daemon.db"), [imagesSchema], () => Date.now());
  const client = new Engine(`unix://${engine.socketPath}`);
  const wished = new Set<string>();
  const images = new Images({
    ...{ engine: client, store: new ImagesStore(sql), clock, wished: () => wished },
    log: openLog({ program: "test", level: "silent", format: "json" }),
    settings: {
      ...{ pullsAtOnce: 2, silenceMs: 60_000, credentialsFile: join(folder, "none") },
      ...{ keepUnusedMs: 3_600_000, cleanAbovePercent, refuseAbovePercent: 100 },
    },
  });
  return {
    ...{ images, wished },
    pull: async (runtime: string) => {
      const image = await newImage();
      await images.pull(runtime, image, { signal: ask().signal, progress: () => {} });
      return image;
    },
    has: async (image: string) => (await client.image(image, ask().signal)) !== undefined,
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      sql[Symbol.dispose]();
    },
  };
}

test("what we pulled goes, but for what is used and the one before; what others brought stays", async () => {
  using folder = tempFolder();
  using ours = imagesIn(folder.path);
  const { images, wished, pull } = ours;
  wished.add("plc");
  const [first, second, third] = [await pull("plc"), await pull("plc"), await pull("plc")];
  const [ofGone, run, named] = [await pull("gone"), await pull("gone"), await pull("gone")];
  const foreign = await idleImage(engine);
  await engine.docker.createContainer({ Image: run });
  await engine.docker.getImage(named).tag({ repo: "somebody/else", tag: "1" });
  const all = [first, second, third, ofGone, run, named, foreign, "somebody/else:1"];
  const there = async () => {
    const has = await Promise.all(all.map(ours.has));
    return all.filter((_, index) => has[index]);
  };
  const { signal } = ask();
  await images.cleanUp({ keepUnusedMs: 3_600_000 }, signal);
  assert.deepEqual(await there(), all);
  await images.cleanUp({ keepUnusedMs: 0 }, signal);
  assert.deepEqual(await there(), [second, third, run, foreign, "somebody/else:1"]);
  wished.clear();
  await images.cleanUp({ keepUnusedMs: 0 }, signal);
  assert.deepEqual(await there(), [run, foreign, "somebody/else:1"]);
});

test("above the lower limit all that is unused goes at once: before a pull, and every hour", async () => {
  using folder = tempFolder();
  const hour = Promise.withResolvers<void>();
  let hours = 0;
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, signal) => (ms === 3_600_000 && ++hours === 1 ? hour.promise : systemClock.sleep(ms, signal)),
  };
  using ours = imagesIn(folder.path, { cleanAbovePercent: 0, clock });
  const one = await ours.pull("gone");
  const other = await ours.pull("gone");
  assert.deepEqual([await ours.has(one), await ours.has(other)], [false, true]);
  const stop = new AbortController();
  const running = ours.images.run(stop.signal);
  hour.resolve();
  await until("the hour's clean-up", async () => !(await ours.has(other)));
  stop.abort();
  await assert.rejects(running, { name: "AbortError" });
});

test("above the higher limit nothing is pulled, in a sentence with the numbers; what is there is used", async () => {
  using folder = tempFolder();
  const images = { cleanAbovePercent: 0, refuseAbovePercent: 0 };
  await using life = live(folder.path, engine.socketPath, { images });
  const name = newName();
  await assert.rejects(life.runtimes.create(spec(await newImage(), { name }), ask()), {
    kind: "exhausted",
    message:
      /^the disk of the engine's data at \/\S+ is \d+ % full, \d+ MB are free, and nothing is pulled above 0 %: remove images and volumes that nobody needs, or raise images\.refuse_above_percent$/,
  });
  assert.deepEqual(life.changes(name), ["UNDONE"]);
  assert.deepEqual(await leftOf(engine, name), []);
  await life.runtimes.create(spec(await idleImage(engine), { name }), ask());
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});
