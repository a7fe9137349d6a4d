import assert from "node:assert/strict";
import { after, test } from "node:test";
import { RuntimePhase, RuntimeProfile } from "../../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, atOnceMs, leftOf, live, newName, spec } from "./life.ts";

const engine = await sharedEngine();
const idle = await idleImage(engine);
const script = await scriptImage(engine);
after(() => engine[Symbol.asyncDispose]());

test("a runtime is created, told, listed, stopped, started, restarted and deleted, and nothing is left", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const name = newName();

  const { runtime, created } = await runtimes.create(spec(idle, { name }), ask());
  assert.equal(created, true);
  assert.equal(runtime.phase, RuntimePhase.RUNNING, runtime.reason);
  assert.match(runtime.imageId, /^sha256:/);
  assert.equal(runtime.addresses.length, 1);
  const inspected = await engine.docker.getContainer(runtime.containerId).inspect();
  assert.equal(inspected.HostConfig.RestartPolicy?.Name, "no");
  assert.deepEqual(inspected.HostConfig.LogConfig?.Config, { "max-file": "3", "max-size": "10000000" });

  assert.deepEqual(await runtimes.get(name, ask().signal), runtime);
  assert.deepEqual(await runtimes.list(ask().signal), [runtime]);
  const { engineReachable, runtimes: status } = runtimes.status();
  assert.deepEqual([engineReachable, status[0]?.name, status[0]?.phase], [true, name, RuntimePhase.RUNNING]);
  const wishes = runtimes.wishesHash();

  const stopped = await runtimes.stop(name, ask());
  assert.equal(stopped.phase, RuntimePhase.STOPPED);
  assert.equal(stopped.exitCode, 0);
  assert.notEqual(runtimes.wishesHash(), wishes);

  const started = await runtimes.start(name, ask());
  assert.equal(started.phase, RuntimePhase.RUNNING);
  assert.equal(started.containerId, runtime.containerId);

  const again = await runtimes.restart(name, ask());
  assert.equal(again.containerId, runtime.containerId);
  assert.notDeepEqual(again.startedAt, started.startedAt);
  assert.equal(again.restarts, 0, "what was asked for is not counted as the node's own");

  const removed = await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(
    removed.map((one) => one.replace(/-.*-/, "-")).map((one) => one.split("/")[0]),
    ["container", "network", "volume"],
  );
  assert.deepEqual(await leftOf(engine, name), []);
  assert.deepEqual(life.changes(name), [
    ...["CREATED", "STARTED", "STOPPED", "STARTED", "STOPPED", "STARTED", "DELETED"],
  ]);
  await assert.rejects(runtimes.get(name, ask().signal), { kind: "not_found" });
});

test("a program that ends at once is undone, and its last words are told", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { settleMs: atOnceMs });
  const name = newName();
  const bad = spec(script, { name, env: [{ name: "DO", value: "echo no licence; exit 3" }] });
  await assert.rejects(life.runtimes.create(bad, ask()), {
    kind: "invalid",
    message: `the program of runtime ${name} ended at once with exit code 3; its last output: no licence`,
  });
  assert.deepEqual(await leftOf(engine, name), []);
  assert.deepEqual(life.changes(name), ["UNDONE"]);
});

test("the same wish again is the same success, and another wish is a conflict that touches nothing", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const name = newName();
  const [a, b] = [
    { name: "A", value: "1" },
    { name: "B", value: "2" },
  ];
  const { runtime } = await runtimes.create(spec(idle, { name, env: [a, b] }), ask());
  const same = await runtimes.create(spec(idle, { name, env: [b, a], volumePath: "/data" }), ask());
  assert.deepEqual([same.created, same.runtime.containerId], [false, runtime.containerId]);

  const other = spec(script, { name, env: [a], ports: [{ nodePort: 18_000, runtimePort: 80 }] });
  await assert.rejects(runtimes.create(other, ask()), {
    kind: "conflict",
    message: `runtime ${name} exists with another spec.image, spec.env, spec.ports: update it, or choose another name`,
  });
  assert.deepEqual(await runtimes.get(name, ask().signal), runtime);

  await runtimes.stop(name, ask());
  const stopped = await runtimes.create(spec(idle, { name, env: [a, b] }), ask());
  assert.equal(
    stopped.runtime.phase,
    RuntimePhase.STOPPED,
    "a user's stop outlives a create of what is there",
  );
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("a container that is removed behind our back is made again, with its network and its data", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const name = newName();
  const DO = "cat /data/kept; echo kept >/data/kept; trap 'exit 0' TERM; while :; do sleep 3600 & wait; done";
  const { runtime } = await runtimes.create(spec(script, { name, env: [{ name: "DO", value: DO }] }), ask());
  const network = await engine.docker.getNetwork(runtime.addresses[0]?.network ?? "").inspect();

  await engine.docker.getContainer(runtime.containerId).remove({ force: true });
  const again = await until("another container", async () => {
    const now = await runtimes.get(name, ask().signal);
    return (
      now.phase === RuntimePhase.RUNNING &&
      now.containerId !== runtime.containerId &&
      now.restarts === 1 &&
      now
    );
  });

  assert.equal((await engine.docker.getNetwork(network.Id).inspect()).Name, again.addresses[0]?.network);
  const said = await engine.docker.getContainer(again.containerId).logs({ stdout: true });
  assert.match(String(said), /kept/);
  // A look in between may have seen that it was killed first.
  const facts = life.changes(name).filter((fact) => fact !== "EXITED");
  assert.deepEqual(facts, ["CREATED", "STARTED", "RECREATED", "STARTED"]);
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("a new life of the daemon leaves running containers alone, and the stopped ones stopped", async () => {
  using folder = tempFolder();
  const [runs, rests] = [newName(), newName()];
  let before: { startedAt?: unknown } = {};
  {
    await using life = live(folder.path, engine.socketPath);
    before = (await life.runtimes.create(spec(idle, { name: runs }), ask())).runtime;
    await life.runtimes.create(spec(idle, { name: rests }), ask());
    await life.runtimes.stop(rests, ask());
  }
  await using life = live(folder.path, engine.socketPath);
  await until("a look", () => life.runtimes.status().engineReachable);
  assert.deepEqual(await life.runtimes.get(runs, ask().signal), before);
  assert.equal((await life.runtimes.get(rests, ask().signal)).phase, RuntimePhase.STOPPED);
  for (const name of [runs, rests]) await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a program that ends by itself is started again, slower each time it ends at once; a stop ends that", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { settleMs: atOnceMs });
  const { runtimes } = life;
  const name = newName();
  const once = "[ -e /data/end ] && exit 4; while ! [ -e /data/end ]; do sleep 0.1; done; exit 5";
  const { runtime } = await runtimes.create(
    spec(script, { name, env: [{ name: "DO", value: once }] }),
    ask(),
  );
  const touch = await engine.docker.getContainer(runtime.containerId).exec({ Cmd: ["touch", "/data/end"] });
  await touch.start({});
  const failing = await until("three ends", async () => {
    const now = await runtimes.get(name, ask().signal);
    return now.restarts >= 2 && now.phase === RuntimePhase.CRASH_LOOP && now;
  });
  assert.match(
    failing.reason,
    /^its program ended on its own \d times in a row, the last time with exit code 4; it is started again at \S+Z$/,
  );
  const stopped = await runtimes.stop(name, ask());
  assert.deepEqual([stopped.phase, stopped.exitCode], [RuntimePhase.STOPPED, 4]);
  assert.deepEqual(
    life.changes(name).slice(0, 5),
    ["CREATED", "STARTED", "EXITED", "STARTED", "EXITED"],
    life
      .events()
      .map((e) => e.reason)
      .join("|"),
  );
  await assert.rejects(runtimes.start(name, ask()), { kind: "invalid", message: /exit code 4/ });
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});

test("a volume that is kept is taken up by the next runtime of the name, also through a create that fails", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { settleMs: atOnceMs });
  const { runtimes } = life;
  const name = newName();
  const env = (DO: string) => [{ name: "DO", value: DO }];
  const keeps = "echo data >/data/file; sleep 1000";
  await runtimes.create(spec(script, { name, env: env(keeps), stopGraceMs: 1 }), ask());
  const removed = await runtimes.delete(name, { keepVolume: true }, ask());
  assert.deepEqual(
    removed.map((one) => one.split("/")[0]),
    ["container", "network"],
  );
  await assert.rejects(runtimes.create(spec(script, { name, env: env("exit 1") }), ask()), {
    kind: "invalid",
  });
  const reads = "cat /data/file && sleep 1000";
  await runtimes.create(spec(script, { name, env: env(reads), stopGraceMs: 1 }), ask());
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});

test("two daemons on one engine have runtimes of the same name and never see each other's", async () => {
  using folder = tempFolder();
  using otherFolder = tempFolder();
  await using one = live(folder.path, engine.socketPath);
  await using other = live(otherFolder.path, engine.socketPath);
  const name = newName();
  const mine = await one.runtimes.create(spec(idle, { name }), ask());
  const theirs = await other.runtimes.create(spec(idle, { name }), ask());
  assert.notEqual(mine.runtime.containerId, theirs.runtime.containerId);
  await one.runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await other.runtimes.get(name, ask().signal), theirs.runtime);
  await other.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a create that is called off before it ran is undone completely before it fails", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { settleMs: 60_000 });
  const name = newName();
  const cancel = new AbortController();
  const reason = failure("cancelled", "the command was called off");
  const creating = life.runtimes.create(
    spec(idle, { name }),
    ask({
      signal: cancel.signal,
      progress: (phase) => void (phase === "waiting until it runs" && cancel.abort(reason)),
    }),
  );
  await assert.rejects(creating, reason);
  assert.deepEqual(await leftOf(engine, name), []);
  assert.deepEqual(life.changes(name), ["UNDONE"]);
});

test("a limit, a published port and the profile reach the container, and what the node cannot give is told", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const name = newName();
  const { runtime } = await life.runtimes.create(
    spec(idle, {
      ...{ name, profile: RuntimeProfile.OPENPLC, ports: [{ nodePort: 18_443, runtimePort: 8443 }] },
      resources: { memoryBytes: 64n << 20n, cpuset: "0", pidsLimit: 50n },
    }),
    ask(),
  );
  const { HostConfig, Config } = await engine.docker.getContainer(runtime.containerId).inspect();
  assert.deepEqual(HostConfig.CapAdd, ["SYS_NICE"]);
  assert.equal(HostConfig.Memory, 64 << 20);
  assert.equal(HostConfig.CpusetCpus, "0");
  assert.equal(HostConfig.PidsLimit, 50);
  assert.ok(!HostConfig.NanoCpus && !HostConfig.CpuQuota, "a quota would stop a PLC in the middle of a scan");
  assert.deepEqual(HostConfig.PortBindings, { "8443/tcp": [{ HostIp: "127.0.0.1", HostPort: "18443" }] });
  assert.equal((Config as { StopTimeout?: number }).StopTimeout, 1);
  const missing = ["rtprio", "memlock"].filter(
    (limit) => !HostConfig.Ulimits?.some(({ Name }) => Name === limit),
  );
  assert.equal(
    runtime.reason,
    missing.length === 0
      ? "its container runs"
      : `its container runs, without the limits ${missing.join(" and ")}: the engine may not raise them on this machine`,
  );

  const other = newName();
  const taken = spec(idle, { name: other, ports: [{ nodePort: 18_443, runtimePort: 80 }] });
  await assert.rejects(life.runtimes.create(taken, ask()), {
    kind: "conflict",
    message: /^a port of the node is taken by another program: .*18443.*$/,
  });
  assert.deepEqual(await leftOf(engine, other), []);

  await life.runtimes.stats(ask().signal);
  const sample = (await life.runtimes.stats(ask().signal)).get(name);
  assert.equal(sample?.memoryTotalBytes, 64n << 20n);
  assert.ok(sample.memoryUsedBytes > 0n && sample.memoryUsedBytes < 64n << 20n);
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});
