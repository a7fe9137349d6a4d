import assert from "node:assert/strict";
import { after, test } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Health, RestartMode, StartCondition } from "../../../gen/edge/v1/workloads_pb.ts";
import type { Runtimes } from "../../../src/daemon/runtimes/index.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { checkedImage, idleImage, scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, atOnceMs, leftOf, live, newName, type SpecInit, spec } from "./life.ts";

const engine = await startEngine({ name: "wellbeing" });
const [idle, script] = [await idleImage(engine), await scriptImage(engine)];
after(() => engine[Symbol.asyncDispose]());

const waits = "while ! [ -e /data/end ]; do sleep 0.1; done";
const does = (DO: string, init: SpecInit & { name: string }) =>
  spec(script, { env: [{ name: "DO", value: DO }], stopGraceMs: 1, ...init });
const touch = async (container: string, file: string) => {
  const exec = await engine.docker.getContainer(container).exec({ Cmd: ["touch", file] });
  await exec.start({});
};
const status = ({ runtimes }: { runtimes: Runtimes }, name: string) =>
  runtimes.status().runtimes.find((one) => one.name === name);
const untilPhase = (life: { runtimes: Runtimes }, name: string, phase: RuntimePhase) =>
  until(`${name} is in phase ${phase}`, () => status(life, name)?.phase === phase && status(life, name));

test("each mode does with an end what it says, over a new life of the daemon too", async () => {
  using folder = tempFolder();
  const pace = { firstMs: 10, lastMs: 3_600_000 };
  const [job, clean, broken] = [newName(), newName(), newName()];
  {
    await using life = live(folder.path, engine.socketPath, { pace, settleMs: atOnceMs });
    const { runtimes } = life;
    const done = await runtimes.create(does("exit 0", { name: job, restart: RestartMode.NEVER }), ask());
    assert.equal(done.runtime.phase, RuntimePhase.ENDED, "a program that has done all it had to was made");
    const restart = RestartMode.ON_FAILURE;
    const made = await runtimes.create(does(`${waits}; exit 0`, { name: clean, restart }), ask());
    await touch(made.runtime.containerId, "/data/end");
    await untilPhase(life, clean, RuntimePhase.ENDED);
    const failing = `[ -e /data/twice ] && exit 0; [ -e /data/end ] && touch /data/twice; ${waits}; exit 3`;
    const failed = await runtimes.create(does(failing, { name: broken, restart }), ask());
    await touch(failed.runtime.containerId, "/data/end");
    const ended = await untilPhase(life, broken, RuntimePhase.ENDED);
    assert.deepEqual(
      [ended.restarts, ended.reason.slice(0, 36)],
      [2, "its program ended with exit code 0, "],
    );
  }
  await using life = live(folder.path, engine.socketPath, { pace, settleMs: atOnceMs });
  for (const name of [job, clean, broken]) await untilPhase(life, name, RuntimePhase.ENDED);
  assert.deepEqual(life.changes(job), ["CREATED", "STARTED", "EXITED"]);
  const again = await life.runtimes.start(job, ask());
  assert.equal(again.phase, RuntimePhase.ENDED);
  assert.equal(life.changes(job).filter((kind) => kind === "STARTED").length, 2);
  for (const name of [job, clean, broken]) await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a crash loop is told as one, slower each time, and a new life of the daemon waits on", async () => {
  using folder = tempFolder();
  const name = newName();
  const isLong = (one: { reason: string } | undefined) =>
    one !== undefined && Date.parse(one.reason.split(" at ").at(-1) ?? "") > Date.now() + 1_000_000;
  {
    // The third pause is so long that nobody lives to see it.
    await using life = live(folder.path, engine.socketPath, { pace: { firstMs: 600, lastMs: 3_600_000 } });
    const made = await life.runtimes.create(does(`${waits}; exit 7`, { name }), ask());
    await touch(made.runtime.containerId, "/data/end");
    const told = await untilPhase(life, name, RuntimePhase.CRASH_LOOP);
    assert.match(
      told.reason,
      /^its program ended on its own \d times in a row, the last time with exit code 7; /,
    );
  }
  const pace = { firstMs: 3_600_000, lastMs: 3_600_000 };
  await using life = live(folder.path, engine.socketPath, { pace, settleMs: atOnceMs });
  await until("it waits for long", () => isLong(status(life, name)));
  const { restarts } = await life.runtimes.get(name, ask().signal);
  await assert.rejects(life.runtimes.start(name, ask()), /ended at once with exit code 7/);
  const now = await until("it waits again", () => isLong(status(life, name)) && status(life, name));
  assert.equal(now.phase, RuntimePhase.STARTING, "a command begins the count anew");
  assert.equal(now.restarts, restarts, "and its start is none of the node's own");
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a check inside the container: healthy, unhealthy, stopped for it, and started again", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { pace: { firstMs: 10 } });
  const [name, hangs] = [newName(), newName()];
  const exec = { command: ["sh", "-c", "! [ -e /data/ill ] || { echo no blood pressure; exit 4; }"] };
  const health = { exec, intervalMs: 1000, failures: 2, restarts: true };
  const { runtime } = await life.runtimes.create(
    does("rm -f /data/ill; trap 'exit 0' TERM; while :; do sleep 0.1; done", { name, health }),
    ask(),
  );
  await until("it is healthy", () => status(life, name)?.health === Health.HEALTHY);
  await touch(runtime.containerId, "/data/ill");
  await until("it was started again", () => status(life, name)?.restarts === 1);
  await until("it is healthy again", () => status(life, name)?.health === Health.HEALTHY);
  assert.deepEqual(life.changes(name), [
    ...["CREATED", "STARTED", "HEALTHY", "UNHEALTHY", "STOPPED", "STARTED", "HEALTHY"],
  ]);
  const reasons = life.events().map(({ reason }) => reason);
  const why = "ended with 4: no blood pressure";
  assert.ok(reasons.some((reason) => reason.startsWith("it was unhealthy: `sh") && reason.endsWith(why)));
  assert.ok(reasons.includes("it had been stopped because it was unhealthy"));

  const slow = { exec: { command: ["sh", "-c", "sleep 987654 & wait"] }, intervalMs: 1000, timeoutMs: 100 };
  const hanging = await life.runtimes.create(spec(idle, { name: hangs, health: slow }), ask());
  const told = await until("a check timed out", async () => {
    const { health: now, healthReason } = await life.runtimes.get(hangs, ask().signal);
    return healthReason.includes("took longer") && { now, healthReason };
  });
  assert.equal(told.now, Health.STARTING);
  assert.match(told.healthReason, /took longer than 100 ms and was killed$/);
  const checks = async () => {
    const { Processes } = await engine.docker.getContainer(hanging.runtime.containerId).top();
    const all: string[][] = Processes; // The library's type is `any`.
    return all.filter((one) => one.join(" ").includes("987654")).length;
  };
  await until("the check and what it started are gone", async () => (await checks()) === 0);
  for (const one of [name, hangs]) await life.runtimes.delete(one, { keepVolume: false }, ask());
  assert.deepEqual([...(await leftOf(engine, name)), ...(await leftOf(engine, hangs))], []);
});

test("the image's own check counts where the wish has none", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const [name, off] = [newName(), newName()];
  const own = await checkedImage(engine);
  const { runtime } = await life.runtimes.create(spec(own, { name }), ask());
  await until("it is healthy", () => status(life, name)?.health === Health.HEALTHY);
  await touch(runtime.containerId, "/data/ill");
  const { healthReason } = await until("it is unhealthy", async () => {
    const now = await life.runtimes.get(name, ask().signal);
    return now.health === Health.UNHEALTHY && now;
  });
  assert.equal(healthReason, "the image's own check says unhealthy: is ill");
  assert.deepEqual(life.changes(name), ["CREATED", "STARTED", "HEALTHY", "UNHEALTHY"]);
  const none = await life.runtimes.create(spec(own, { name: off, health: { disabled: true } }), ask());
  assert.equal(none.runtime.health, Health.UNSPECIFIED);
  const { State } = await engine.docker.getContainer(none.runtime.containerId).inspect();
  assert.ok(!State.Health || State.Health.Status === "none", "the engine does not check either");
  for (const one of [name, off]) await life.runtimes.delete(one, { keepVolume: false }, ask());
});

test("starts are in order: who is named comes first, is waited for while it is away, and must be what was asked", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const [first, then, last] = [newName(), newName(), newName()];
  const exec = { command: ["sh", "-c", "[ -e /data/ready ]"] };
  const after = (runtime: string, condition: StartCondition = StartCondition.RUNNING) => ({
    after: [{ runtime, condition }],
  });
  const made = await runtimes.create(spec(idle, { name: last, ...after(then) }), ask());
  assert.equal(made.runtime.phase, RuntimePhase.WAITING);
  assert.equal(made.runtime.reason, `it waits for runtime ${then}, which does not exist`);
  await runtimes.create(spec(idle, { name: then, ...after(first, StartCondition.HEALTHY) }), ask());
  const circle = runtimes.create(spec(idle, { name: first, ...after(last) }), ask());
  await assert.rejects(
    circle,
    new RegExp(`wait for itself: ${first} after ${last} after ${then} after ${first}`),
  );
  const health = { exec, intervalMs: 1000 };
  const { runtime } = await runtimes.create(spec(idle, { name: first, health }), ask());
  await until("the second waits for health", () => status(life, then)?.reason.endsWith("healthy yet"));
  const behind = `it waits for runtime ${then}, which does not run yet`;
  await until("the third waits for the second", () => status(life, last)?.reason === behind);
  await touch(runtime.containerId, "/data/ready");
  for (const name of [then, last]) await untilPhase(life, name, RuntimePhase.RUNNING);
  assert.deepEqual(life.changes(last), ["CREATED", "STARTED"]);

  await runtimes.stop(first, ask());
  assert.equal(status(life, then)?.phase, RuntimePhase.RUNNING, "who runs is left alone");
  await runtimes.stop(then, ask());
  const waiting = await runtimes.start(then, ask());
  assert.equal(waiting.reason, `it waits for runtime ${first}, which is stopped`);
  for (const name of [last, then, first]) await runtimes.delete(name, { keepVolume: false }, ask());
});
