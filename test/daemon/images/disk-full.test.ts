/** The engine's disk, or the daemon's own, is full: a failure that says so, nothing half done, and all is well when there is room. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { addBusybox, addFile, emptyLayer } from "../../../tools/layer.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { startRegistry } from "../../fixtures/registry.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "../runtimes/life.ts";

const engine = await startEngine({ name: "full", diskBytes: 48 << 20 });
const registry = await startRegistry(engine);
const [idle, script] = [await idleImage(engine), await scriptImage(engine)];
after(async () => {
  await registry[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

/** Takes all the room there is. @returns how to give it back. */
function fill(folder: string): () => void {
  const filler = join(folder, "filler");
  for (const size of [1 << 20, 4096]) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(size), { flag: "a" });
    } catch {
      // No space left, which was asked for.
    }
  }
  return () => rmSync(filler);
}

async function largeImage(): Promise<string> {
  const layer = emptyLayer();
  addFile(layer, "/ballast", randomBytes(8 << 20));
  await addBusybox(layer);
  const name = newName();
  const command = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"];
  await registry.add({ name, tag: "1", layers: [layer], command });
  return `${registry.address}/${name}:1`;
}

const fullDisk = /no space left on the engine's disk: free some/;

test("a pull for which the engine has no room fails at its deadline and says why; it goes on when there is room", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const [image, runs, name] = [await largeImage(), newName(), newName()];
  const { runtime } = await life.runtimes.create(spec(idle, { name: runs }), ask());
  const giveBack = fill(engine.disk);
  const problem = async () => fullDisk.test((await life.runtimes.get(name, ask().signal)).reason);

  const outOfTime = new AbortController();
  const impatient = life.runtimes.create(spec(image, { name }), ask({ signal: outOfTime.signal }));
  await until("what is missing is known", problem);
  outOfTime.abort(failure("deadline", "the command was not done within its budget"));
  await assert.rejects(impatient, { kind: "exhausted", message: fullDisk });
  assert.deepEqual(await leftOf(engine, name), []);

  const patient = life.runtimes.create(spec(image, { name }), ask());
  await until("what is missing is known again", problem);
  giveBack();
  assert.equal((await patient).runtime.phase, RuntimePhase.RUNNING);
  assert.equal((await life.runtimes.get(runs, ask().signal)).containerId, runtime.containerId);
  for (const one of [runs, name]) await life.runtimes.delete(one, { keepVolume: false }, ask());
});

test("a create for which the engine has no room waits for some, and is made once", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const name = newName();
  const giveBack = fill(engine.disk);
  const creating = life.runtimes.create(spec(idle, { name }), ask());
  await until("what is missing is known", async () =>
    fullDisk.test((await life.runtimes.get(name, ask().signal)).reason),
  );
  giveBack();
  assert.equal((await creating).runtime.phase, RuntimePhase.RUNNING);
  assert.equal((await leftOf(engine, name)).length, 3);
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a daemon whose own disk is full refuses what it cannot keep, and starts again what ended", async () => {
  using disk = smallDisk(4 << 20);
  await using life = live(disk.path, engine.socketPath);
  const [kept, refused] = [newName(), newName()];
  const { runtime } = await life.runtimes.create(spec(idle, { name: kept }), ask());
  const giveBack = fill(disk.path);
  const noRoom = { kind: "exhausted", message: /^no space left for .*daemon\.db: free some/ };
  await assert.rejects(life.runtimes.create(spec(idle, { name: refused }), ask()), noRoom);
  await assert.rejects(life.runtimes.stop(kept, ask()), noRoom);
  assert.deepEqual(await leftOf(engine, refused), []);

  const container = engine.docker.getContainer(runtime.containerId);
  await container.kill();
  await until("its next start", async () => (await container.inspect()).State.Running);
  assert.deepEqual(life.changes(kept), ["CREATED", "STARTED"], "there is no room to tell it");

  giveBack();
  await life.runtimes.start(kept, ask());
  assert.deepEqual(life.changes(kept), ["CREATED", "STARTED", "EXITED", "STARTED"]);
  await life.runtimes.create(spec(idle, { name: refused }), ask());
  for (const one of [kept, refused]) await life.runtimes.delete(one, { keepVolume: false }, ask());
});

test("an update on a full disk of the daemon: what ends is started again, and is rolled back as soon as that can be kept", async () => {
  using disk = smallDisk(4 << 20);
  await using life = live(disk.path, engine.socketPath, { provenMs: 60_000 });
  const { runtimes } = life;
  const name = newName();
  const { runtime: before } = await runtimes.create(spec(idle, { name }), ask());
  const updating = runtimes.update(spec(idle, { name, env: [{ name: "A", value: "b" }] }), {}, ask());
  const updated = await until("its new version runs", async () => {
    const now = await runtimes.get(name, ask().signal);
    return now.phase === RuntimePhase.RUNNING && now.containerId !== before.containerId && now;
  });
  const giveBack = fill(disk.path);
  const container = engine.docker.getContainer(updated.containerId);
  const { Pid } = (await container.inspect()).State;
  await container.kill();
  await until("its next start", async () => {
    const { State } = await container.inspect();
    return State.Running && State.Pid !== Pid;
  });
  assert.ok(!life.changes(name).includes("EXITED"), "there is no room to tell it");
  giveBack();
  await assert.rejects(updating, { kind: "invalid", message: /was rolled back: .* exit code 137; it wrote/ });
  assert.equal(life.changes(name).filter((kind) => kind === "ROLLED_BACK").length, 1);
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("a lock that runs out on a full disk of the daemon ends nothing, and what waited for it is done when there is room", async () => {
  using disk = smallDisk(4 << 20);
  await using life = live(disk.path, engine.socketPath, { pace: { firstMs: 10 } });
  const { runtimes } = life;
  const name = newName();
  const exec = { command: ["sh", "-c", "! [ -e /data/ill ]"] };
  const health = { exec, intervalMs: 1000, timeoutMs: 60_000, failures: 1, restarts: true };
  const env = [{ name: "DO", value: "rm -f /data/ill; while :; do sleep 0.1; done" }];
  const { runtime } = await runtimes.create(spec(script, { name, env, health, stopGraceMs: 1 }), ask());
  const now = () => runtimes.status().runtimes.find((one) => one.name === name);
  await until("it is healthy", () => now()?.health === Health.HEALTHY);
  await runtimes.lock(name, {}, ask());
  const container = engine.docker.getContainer(runtime.containerId);
  await (await container.exec({ Cmd: ["touch", "/data/ill"] })).start({});
  await until("it is unhealthy", () => now()?.health === Health.UNHEALTHY);
  await runtimes.lock(name, { forMs: 2_000 }, ask());
  const giveBack = fill(disk.path);
  assert.equal(now()?.locks.length, 1);
  await until("the lock has run out", () => now()?.locks.length === 0);
  // It looks at the engine first, and finds there that the restart for its health is due.
  await assert.rejects(runtimes.restart(name, ask()), { kind: "exhausted", message: /^no space left/ });
  assert.equal(now()?.restarts, 0);
  giveBack();
  await until("it was started again", () => now()?.restarts === 1);
  assert.deepEqual(
    life.changes(name).filter((kind) => kind !== "HEALTHY"),
    ["CREATED", "STARTED", "LOCKED", "UNHEALTHY", "LOCKED", "UNLOCKED", "STOPPED", "STARTED"],
  );
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("a create that fails while the daemon's disk is full is undone as soon as that can be kept", async () => {
  using disk = smallDisk(4 << 20);
  await using proxy = await engineProxy(engine.socketPath);
  await using life = live(disk.path, proxy.socketPath);
  const name = newName();
  const started = Promise.withResolvers<void>();
  let giveBack = () => {};
  proxy.decide = (line) => {
    if (!line.endsWith("/start")) return "pass";
    proxy.decide = () => "pass";
    giveBack = fill(disk.path);
    started.resolve();
    return "pass";
  };
  const outOfTime = new AbortController();
  const creating = life.runtimes.create(spec(idle, { name }), ask({ signal: outOfTime.signal }));
  await started.promise;
  await until("that it cannot be written", async () =>
    /no space left/.test((await life.runtimes.get(name, ask().signal)).reason),
  );
  outOfTime.abort(failure("deadline", "the command was not done within its budget"));
  giveBack();
  await assert.rejects(creating, { kind: "exhausted" });
  assert.deepEqual(await leftOf(engine, name), []);
  assert.deepEqual(await life.runtimes.list(ask().signal), []);
});
