import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DesiredState, RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { RestartMode } from "../../../gen/edge/v1/workloads_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, atOnceMs, leftOf, live, newName, type SpecInit, spec } from "./life.ts";

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
    ...{ labels: [{ key: "line", value: "1" }], stopGraceMs: 2000, health: { exec: { command: ["true"] } } },
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
  await until("it is checked", () => life.changes(name).includes("HEALTHY"));
  assert.deepEqual(life.changes(name), ["CREATED", "STARTED", "UPDATED", "HEALTHY"]);
  const same = await runtimes.update(spec(idle, { name, ...changed }), {}, ask());
  assert.deepEqual([same.changes, same.interrupted], [[], false]);
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});

test("what has ended and stays so is not started by a change in place", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs: 60_000, settleMs: atOnceMs });
  const { runtimes } = life;
  const name = newName();
  const once = { name, env: says("exit 0"), restart: RestartMode.NEVER };
  const { runtime: before } = await runtimes.create(spec(script, once), ask());
  assert.equal(before.phase, RuntimePhase.ENDED);
  const limited = spec(script, { ...once, resources: { memoryBytes: 64n << 20n } });
  const { runtime } = await runtimes.update(limited, {}, ask());
  assert.deepEqual([runtime.phase, runtime.startedAt], [RuntimePhase.ENDED, before.startedAt]);
  const { HostConfig } = await engine.docker.getContainer(runtime.containerId).inspect();
  assert.equal(HostConfig.Memory, 64 << 20);
  const again = await runtimes.update(spec(script, { ...once, env: says("echo; exit 0") }), {}, ask());
  assert.equal(
    again.runtime.phase,
    RuntimePhase.ENDED,
    "a new version that does all it had to is a good one",
  );
  assert.equal(life.changes(name).at(-1), "CONFIRMED");
  await runtimes.delete(name, { keepVolume: false }, ask());
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
  await using life = live(folder.path, engine.socketPath, { provenMs: 60_000 });
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

test("a new version that runs and does not become healthy in time is rolled back, over a new life of the daemon", async () => {
  using folder = tempFolder();
  const name = newName();
  const id = `ill-${name}`;
  const ill = spec(script, { name, env: says(idles), health: { exec: { command: ["false"] } } });
  const how = { probationMs: 4_000 };
  {
    await using life = live(folder.path, engine.socketPath, { provenMs });
    await life.runtimes.create(spec(idle, { name }), ask());
    const stopped = new AbortController();
    const updating = life.runtimes.update(ill, how, ask({ id, signal: stopped.signal }));
    const { probation, phase } = await until("some of its time is used", async () => {
      const now = await life.runtimes.get(name, ask().signal);
      return now.probation && now.probation.leftMs < 4_000 && now;
    });
    assert.deepEqual(
      [probation?.commandId, probation?.previousImage, phase],
      [id, idle, RuntimePhase.RUNNING],
    );
    const other = life.runtimes.update(spec(idle, { name }), {}, ask());
    await assert.rejects(other, {
      kind: "conflict",
      message: /is on probation \(command ill-.*\): wait until/,
    });
    stopped.abort(failure("cancelled", "the daemon stops"));
    await assert.rejects(updating);
  }
  await using life = live(folder.path, engine.socketPath, { provenMs });
  const left = (await life.runtimes.get(name, ask().signal)).probation?.leftMs;
  assert.ok(left !== undefined && left < 4_000, "its time does not begin anew");
  const failed = {
    kind: "invalid",
    message: /was rolled back: it was not healthy within 4 s: .*; it wrote nothing$/,
  };
  await Promise.all([
    assert.rejects(life.runtimes.update(ill, how, ask({ id })), failed),
    assert.rejects(
      life.runtimes.update(ill, how, ask()),
      failed,
      "another command is not told that it is done",
    ),
  ]);
  const { runtime, changes } = await life.runtimes.update(spec(idle, { name }), {}, ask());
  assert.deepEqual([runtime.phase, runtime.probation, changes], [RuntimePhase.RUNNING, undefined, []]);
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a new version that becomes healthy is confirmed at once, and what refuses to be made is rolled back", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs: 60_000 });
  const { runtimes } = life;
  const name = newName();
  await runtimes.create(spec(idle, { name }), ask());
  const health = { exec: { command: ["true"] } };
  const well = spec(script, { name, env: says(idles), health });
  const { runtime } = await runtimes.update(well, {}, ask());
  const cases: [SpecInit, RegExp][] = [
    [{ entrypoint: ["/no/such/program"] }, /rolled back: .*no such file or directory/],
    [{ resources: { cpuset: "4095" } }, /rolled back: .*CPUs are not available/],
  ];
  for (const [bad, sentence] of cases) {
    const updating = runtimes.update(spec(script, { name, env: says(idles), health, ...bad }), {}, ask());
    await assert.rejects(updating, { kind: "invalid", message: sentence });
    const now = await runtimes.get(name, ask().signal);
    assert.deepEqual([now.specHash, now.phase], [runtime.specHash, RuntimePhase.RUNNING], now.reason);
  }
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});

test("a lock file where the engine does not see the daemon's folder is rolled back, and said so", async () => {
  using folder = tempFolder();
  using hidden = smallDisk(1 << 20); // Mounted after the engine began, which has mounts of its own.
  await using life = live(folder.path, engine.socketPath, { provenMs, locksFolder: hidden.path });
  const { runtimes } = life;
  const name = newName();
  const { runtime: before } = await runtimes.create(spec(idle, { name }), ask());
  await assert.rejects(runtimes.update(spec(idle, { name, lockPath: "/run/lock" }), {}, ask()), {
    kind: "unsupported",
    message: /was rolled back: the engine does not see the daemon's folder .*: leave spec\.lock_path out/,
  });
  const now = await runtimes.get(name, ask().signal);
  assert.deepEqual([now.phase, now.specHash], [RuntimePhase.RUNNING, before.specHash]);
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("a stop during a probation rolls it back, and a delete takes all of it away", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs: 60_000 });
  const { runtimes } = life;
  const name = newName();
  const { runtime: before } = await runtimes.create(spec(idle, { name }), ask());
  const next = spec(script, { name, env: says(idles) });
  const begin = async () => {
    const outcome = runtimes.update(next, {}, ask()).then(String, String);
    await until("its new version runs", async () => {
      const now = await runtimes.get(name, ask().signal);
      return now.probation && now.phase === RuntimePhase.RUNNING && now.imageId !== before.imageId;
    });
    return { outcome };
  };
  const stopping = await begin();
  const stopped = await runtimes.stop(name, ask());
  assert.deepEqual([stopped.phase, stopped.specHash], [RuntimePhase.STOPPED, before.specHash]);
  assert.match(await stopping.outcome, /was rolled back: it was stopped before it was known to be healthy/);
  assert.equal((await runtimes.start(name, ask())).imageId, before.imageId);
  const deleting = await begin();
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.match(await deleting.outcome, /was deleted while its update was on probation/);
  assert.deepEqual(await leftOf(engine, name), []);
});

test("a program is not stopped for a version that would have to wait for another runtime", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs });
  const { runtimes } = life;
  const [name, broker] = [newName(), newName()];
  const { runtime: before } = await runtimes.create(spec(idle, { name }), ask());
  const next = spec(script, { name, env: says(idles), after: [{ runtime: broker }] });
  const late = AbortSignal.abort(failure("deadline", "too late"));
  await assert.rejects(runtimes.update(next, {}, ask({ signal: late })), { kind: "deadline" });
  const waits = Promise.withResolvers<string>();
  const updating = runtimes.update(
    next,
    {},
    ask({ progress: (phase) => void (/^not/.test(phase) && waits.resolve(phase)) }),
  );
  assert.equal(await waits.promise, `not begun: it waits for runtime ${broker}, which does not exist`);
  assert.deepEqual((await runtimes.get(name, ask().signal)).containerId, before.containerId);
  await runtimes.create(spec(idle, { name: broker }), ask());
  assert.equal((await updating).runtime.phase, RuntimePhase.RUNNING);
  for (const one of [name, broker]) await runtimes.delete(one, { keepVolume: false }, ask());
});

test("a program that gets ports gets another network, and gives it back", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs });
  const { runtimes } = life;
  const name = newName();
  const { runtime: before } = await runtimes.create(spec(idle, { name }), ask());
  const isInternal = async () => {
    const network = engine.docker.getNetwork(before.addresses[0]?.network ?? "");
    return ((await network.inspect()) as { Internal: boolean }).Internal;
  };
  assert.equal(await isInternal(), true);
  const ports = [{ nodePort: 18_480, runtimePort: 80 }];
  await runtimes.update(spec(idle, { name, ports }), {}, ask());
  assert.equal(await isInternal(), false);
  await runtimes.update(spec(idle, { name }), {}, ask());
  assert.equal(await isInternal(), true);
  assert.equal((await leftOf(engine, name)).length, 3);
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("a runtime is made stopped, updated while it is, started and stopped by an update", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs });
  const { runtimes } = life;
  const name = newName();
  const { runtime: made } = await runtimes.create(spec(idle, { name, desired: DesiredState.STOPPED }), ask());
  assert.deepEqual(
    [made.phase, made.startedAt, made.spec?.desired],
    [RuntimePhase.STOPPED, undefined, DesiredState.STOPPED],
  );
  assert.equal(made.reason, "its wish says that it does not run, and its container was never started");
  assert.deepEqual(life.changes(name), ["CREATED"]);
  const { runtime } = await runtimes.update(spec(idle, { name, desired: DesiredState.RUNNING }), {}, ask());
  assert.deepEqual([runtime.phase, runtime.containerId], [RuntimePhase.RUNNING, made.containerId]);
  const again = await runtimes.update(
    spec(script, { name, env: says(idles), desired: DesiredState.STOPPED }),
    {},
    ask(),
  );
  assert.deepEqual([again.runtime.phase, again.interrupted], [RuntimePhase.STOPPED, true]);
  assert.equal((await runtimes.start(name, ask())).phase, RuntimePhase.RUNNING);
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});
