/** What locks do to a daemon's runtimes, on a real engine. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { RuntimeChangeKind } from "../../../gen/edge/v1/events_pb.ts";
import { LockKind } from "../../../gen/edge/v1/locks_pb.ts";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import type { Failure } from "../../../src/base/failure.ts";
import type { Runtimes } from "../../../src/daemon/runtimes/index.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, type SpecInit, spec } from "../runtimes/life.ts";

const engine = await startEngine({ name: "locks" });
const [idle, script] = [await idleImage(engine), await scriptImage(engine)];
after(() => engine[Symbol.asyncDispose]());

const alice = () => ask({ actor: "operator/alice" });
const bob = () => ask({ actor: "operator/bob" });
const does = (DO: string, init: SpecInit & { name: string }) =>
  spec(script, { env: [{ name: "DO", value: DO }], stopGraceMs: 1, ...init });
const inside = async (container: string, command: string) => {
  const exec = await engine.docker.getContainer(container).exec({ Cmd: ["sh", "-c", command] });
  await exec.start({});
};
const status = (runtimes: Runtimes, name: string) => {
  const found = runtimes.status().runtimes.find((one) => one.name === name);
  assert.ok(found);
  return found;
};
const isOfLocks = (kind: RuntimeChangeKind) =>
  kind === RuntimeChangeKind.LOCKED || kind === RuntimeChangeKind.UNLOCKED;
const locks = (runtimes: Runtimes, name: string) => status(runtimes, name).locks.map(({ kind }) => kind);

/** All that would touch it is refused, with this in the sentence. */
async function refuses(runtimes: Runtimes, name: string, why: RegExp): Promise<void> {
  const attempts = [
    () => runtimes.stop(name, ask()),
    () => runtimes.restart(name, ask()),
    () => runtimes.delete(name, { keepVolume: false }, ask()),
    () => runtimes.update(spec(idle, { name, env: [{ name: "NEW", value: "1" }] }), {}, ask()),
  ];
  for (const attempt of attempts) {
    await assert.rejects(attempt(), ({ kind, message }: Failure) => {
      assert.equal(kind, "conflict");
      assert.match(message, why);
      assert.match(message, /or do it all the same with --override-lock$/);
      return true;
    });
  }
}

test("operators lock a runtime, over a new life of the daemon, until they unlock it", async () => {
  using folder = tempFolder();
  const name = newName();
  const started = { at: 0n };
  {
    await using life = live(folder.path, engine.socketPath);
    const { runtimes } = life;
    const { runtime } = await runtimes.create(spec(idle, { name }), ask());
    started.at = runtime.startedAt?.seconds ?? 0n;
    const first = alice();
    await runtimes.lock(name, { reason: "filling" }, first);
    await runtimes.lock(name, { reason: "filling" }, first); // As after a crash.
    await runtimes.lock(name, { reason: "filling tank 3" }, alice());
    const locked = await runtimes.lock(name, { forMs: 3_600_000 }, bob());
    assert.deepEqual(
      locked.locks.map(({ kind, actor, reason }) => [kind, actor, reason]),
      [
        [LockKind.OPERATOR, "operator/alice", "filling tank 3"],
        [LockKind.OPERATOR, "operator/bob", ""],
      ],
    );
    const lock = locked.locks[1];
    assert.ok(lock?.since && lock.until);
    assert.equal(timestampMs(lock.until) - timestampMs(lock.since), 3_600_000);
    await refuses(
      runtimes,
      name,
      /^runtime \S+ is locked by operator\/alice: "filling tank 3", and by operator\/bob until 20\S+Z: wait, unlock it with `orchestrator runtime unlock t/,
    );
  }
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  await refuses(runtimes, name, /locked by operator\/alice: "filling tank 3", and by operator\/bob until/);
  const { startedAt } = await runtimes.get(name, ask().signal);
  assert.equal(startedAt?.seconds, started.at, "nobody has touched it");

  await runtimes.stop(name, ask(), { overrideLock: true });
  await runtimes.stop(name, ask()); // Nothing is touched by that.
  await runtimes.start(name, ask());
  await runtimes.unlock(name, bob());
  await runtimes.unlock(name, bob());
  assert.deepEqual(locks(runtimes, name), []);
  await runtimes.restart(name, ask());
  await runtimes.lock(name, {}, alice());
  await runtimes.delete(name, { keepVolume: false, overrideLock: true }, ask());
  await runtimes.create(spec(idle, { name }), ask());
  assert.deepEqual(locks(runtimes, name), [], "a later one of the same name is another one");
  await runtimes.delete(name, { keepVolume: false }, ask());
  const told = life
    .events()
    .flatMap(({ fact, reason }) => (fact.case === "runtime" && isOfLocks(fact.value.kind) ? reason : []));
  assert.deepEqual(
    told.map((reason) => reason.replace(/ 20\S+Z/, " ...")),
    [
      'it was locked by operator/alice: "filling"',
      'it was locked by operator/alice: "filling tank 3"',
      "it was locked by operator/bob until ...",
      "operator/bob took the lock of operator/alice away",
      "operator/bob took the lock of operator/bob away",
      "it was locked by operator/alice",
    ],
  );
});

test("a lock runs out by itself, also while no daemon lives, and that is told once", async () => {
  using folder = tempFolder();
  const name = newName();
  const ranOut = (life: ReturnType<typeof live>) =>
    life.events().filter(({ reason }) => /^the lock of \S+ ran out$/.test(reason)).length;
  {
    await using life = live(folder.path, engine.socketPath);
    await life.runtimes.create(spec(idle, { name }), ask());
    await life.runtimes.lock(name, { forMs: 1_500 }, alice());
    assert.deepEqual(locks(life.runtimes, name), [LockKind.OPERATOR]);
    let told = 0;
    life.runtimes.changes.listen(() => {
      if (locks(life.runtimes, name).length === 0) told++;
    });
    await until("it has run out, and whoever listens knows", () => ranOut(life) === 1 && told > 0);
    await life.runtimes.lock(name, { forMs: 400 }, alice());
  }
  await using life = live(folder.path, engine.socketPath);
  await until("it has run out again", () => ranOut(life) === 2);
  await life.runtimes.delete(name, { keepVolume: false }, ask());
  assert.equal(ranOut(life), 2);
});

test("outside of its windows a runtime is locked, and started all the same", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const [closed, open] = [newName(), newName()];
  const inSixMonths = ((new Date().getUTCMonth() + 6) % 12) + 1;
  const maintenance = [{ cron: `0 2 1 ${inSixMonths} *`, durationMs: 3_600_000n, timeZone: "Europe/Berlin" }];
  const { runtime } = await runtimes.create(spec(idle, { name: closed, maintenance }), ask());
  assert.deepEqual(
    runtime.locks.map(({ kind, reason, until: end }) => [kind, reason, end && timestampMs(end) > Date.now()]),
    [[LockKind.WINDOW, "no maintenance window is open", true]],
  );
  await refuses(
    runtimes,
    closed,
    /is locked because no maintenance window is open until 20\S+:00:00Z: wait, or do/,
  );
  await engine.docker.getContainer(runtime.containerId).kill();
  await until("what ended by itself runs again", () => status(runtimes, closed).restarts === 1);
  const always = [...maintenance, { cron: "* * * * *", durationMs: 60_000n }];
  await runtimes.create(spec(idle, { name: open, maintenance: always }), ask());
  assert.deepEqual(locks(runtimes, open), []);
  await runtimes.delete(open, { keepVolume: false }, ask());
  await runtimes.delete(closed, { keepVolume: false, overrideLock: true }, ask());
});

test("a program locks itself by a file, for as long as it runs", async () => {
  using folder = tempFolder();
  const name = newName();
  const image = spec(idle, { name, lockPath: "/locks" });
  let container = "";
  {
    await using life = live(folder.path, engine.socketPath, { trustAfterMs: 0 });
    const { runtimes } = life;
    container = (await runtimes.create(image, ask())).runtime.containerId;
    assert.equal(statSync(join(folder.path, "locks")).mode & 0o777, 0o700);
    const nobody = await engine.docker
      .getContainer(container)
      .exec({ User: "65534", Cmd: ["sh", "-c", "echo calibrating > /locks/lock"] });
    await nobody.start({});
    const [lock] = await until("the lock shows", () => {
      const { locks: found } = status(runtimes, name);
      return found.length > 0 && found;
    });
    assert.deepEqual([lock?.kind, lock?.reason], [LockKind.WORKLOAD, "calibrating"]);
    await refuses(runtimes, name, /is locked by its own program: "calibrating": wait, or do it all the same/);
    await inside(container, "rm /locks/lock");
    await until("the lock is gone", () => locks(runtimes, name).length === 0);
    await runtimes.restart(name, ask());
    await inside(container, "touch /locks/lock");
    await until("it is locked again", () => locks(runtimes, name).length === 1);
  }
  await using life = live(folder.path, engine.socketPath, { trustAfterMs: 0 });
  const { runtimes } = life;
  await until("a new life sees it", () => locks(runtimes, name).length === 1);
  await inside(container, "rm /locks/lock; echo again > /locks/lock");
  await until("and watches it", () => status(runtimes, name).locks[0]?.reason === "again");
  await until("the engine may start it again by itself", async () => {
    const { HostConfig } = await engine.docker.getContainer(container).inspect();
    return HostConfig.RestartPolicy?.Name === "unless-stopped";
  });
  const { startedAt } = await runtimes.get(name, ask().signal);
  await inside(container, "kill -TERM 1");
  await until("the engine has started it again", async () => {
    const now = await runtimes.get(name, ask().signal);
    return now.startedAt && startedAt && timestampMs(now.startedAt) > timestampMs(startedAt);
  });
  await until("what the run before left locks nothing", () => locks(runtimes, name).length === 0);
  await runtimes.restart(name, ask());
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
  assert.throws(() => statSync(join(folder.path, "locks", name)), { code: "ENOENT" });
});

test("a folder that the engine does not see is refused, and nothing is left", async () => {
  using folder = smallDisk(16 << 20); // Mounted here alone, and not where the engine is.
  await using life = live(folder.path, engine.socketPath);
  const name = newName();
  await assert.rejects(life.runtimes.create(spec(idle, { name, lockPath: "/locks" }), ask()), {
    kind: "unsupported",
    message: `the engine does not see the daemon's folder ${join(folder.path, "locks", name)}: leave spec.lock_path out, or keep daemon.data_dir where both see it`,
  });
  assert.deepEqual(await leftOf(engine, name), []);
});

test("a restart for health waits until nobody locks the runtime, and is done then", async () => {
  using folder = tempFolder();
  const name = newName();
  const exec = { command: ["sh", "-c", "! [ -e /data/ill ]"] };
  const health = { exec, intervalMs: 1000, timeoutMs: 60_000, failures: 1, restarts: true };
  const runs = "rm -f /data/ill; trap 'exit 0' TERM; while :; do sleep 0.1; done";
  await using life = live(folder.path, engine.socketPath, { pace: { firstMs: 10 } });
  const { runtimes } = life;
  const { runtime } = await runtimes.create(does(runs, { name, health }), ask());
  await until("it is healthy", () => status(runtimes, name).health === Health.HEALTHY);
  await runtimes.lock(name, { reason: "batch 7" }, alice());
  const isWithheld = () => {
    const { reason } = status(runtimes, name);
    return reason.includes("unhealthy") && reason;
  };
  await inside(runtime.containerId, "touch /data/ill");
  assert.match(
    await until("it says what is withheld", isWithheld),
    /its container runs.*; it is unhealthy and is not restarted, because it is locked by operator\/alice: "batch 7"$/,
  );
  await engine.docker.getContainer(runtime.containerId).kill();
  await until("what ended by itself runs again", () => status(runtimes, name).health === Health.HEALTHY);
  assert.deepEqual(life.changes(name), [
    ...["CREATED", "STARTED", "HEALTHY", "LOCKED", "UNHEALTHY", "EXITED", "STARTED", "HEALTHY"],
  ]);
  await inside(runtime.containerId, "touch /data/ill");
  await until("it is withheld again", isWithheld);
  await runtimes.unlock(name, bob());
  await until("it was restarted", () => status(runtimes, name).restarts === 2);
  await until("it is healthy", () => status(runtimes, name).health === Health.HEALTHY);
  assert.deepEqual(life.changes(name).slice(9), ["UNLOCKED", "STOPPED", "STARTED", "HEALTHY"]);
  await runtimes.delete(name, { keepVolume: false }, ask());
});
