import assert from "node:assert/strict";
import { after, test } from "node:test";
import { RuntimeChangeKind } from "../../../gen/edge/v1/events_pb.ts";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { RestartMode } from "../../../gen/edge/v1/workloads_pb.ts";
import { news } from "../../../src/daemon/runtimes/news.ts";
import type { Situation } from "../../../src/daemon/runtimes/plan.ts";
import { trustOf } from "../../../src/daemon/runtimes/trust.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "./life.ts";
import { all, container, ground, steps, wish } from "./planned.ts";

const engine = await startEngine({ name: "trust" });
const [idle, script] = [await idleImage(engine), await scriptImage(engine)];
after(() => engine[Symbol.asyncDispose]());

test("trust is earned by running, and lost by ending too soon", () => {
  const settings = { trustAfterMs: 60_000, wellMs: 600_000 };
  assert.equal(trustOf({ ranMs: 59_999, endsInARow: 0 }, settings), undefined);
  assert.equal(trustOf({ ranMs: 600_000, endsInARow: 3 }, settings), "earned");
  assert.equal(trustOf({ ranMs: undefined, endsInARow: 0 }, settings), undefined);
  assert.equal(trustOf({ ranMs: 1, endsInARow: 1 }, settings), "lost");
  const atOnce = { trustAfterMs: 0, wellMs: 600_000 };
  assert.equal(trustOf({ ranMs: 0, endsInARow: 0 }, atOnce), "earned");
  assert.equal(trustOf({ ranMs: 1, endsInARow: 1 }, atOnce), "lost", "one that just failed has to show more");
});

test("only a program that runs well, and should, is the engine's to start again", () => {
  const [earned, lost]: Situation[] = [
    { ...ground, trust: "earned" },
    { ...ground, trust: "lost" },
  ];
  const trusted = container({ restartPolicy: "unless-stopped" });
  assert.deepEqual(steps({}, all(container()), earned), ["setRestarts one"]);
  assert.deepEqual(steps({}, all(trusted), earned), []);
  assert.deepEqual(steps({}, all(trusted)), [], "it stays what it was");
  assert.deepEqual(steps({}, all(trusted), lost), ["setRestarts one"]);
  assert.deepEqual(steps({ desired: "stopped" }, all(trusted), earned), [
    "setRestarts one",
    "stopContainer one",
  ]);
  const rests = container({ restartPolicy: "unless-stopped", state: "exited" });
  assert.deepEqual(steps({ desired: "stopped" }, all(rests)), ["setRestarts one"]);
});

test("the engine's own restart is told as such, once", () => {
  const before = wish({ containerId: "one", started: "2026-01-01T00:00:00Z" });
  const seen = container({
    ...{ restartPolicy: "unless-stopped", exitCode: 255 },
    ...{ startedAt: "2026-01-02T00:00:01Z", finishedAt: "2026-01-02T00:00:00Z" },
  });
  const { changes, update } = news(before, seen);
  assert.deepEqual(
    changes.map(({ kind, reason }) => [kind, reason]),
    [
      [RuntimeChangeKind.EXITED, "it ended on its own with exit code 255"],
      [RuntimeChangeKind.STARTED, "the engine started it again"],
    ],
  );
  assert.equal(update.restarts, 1);
  assert.deepEqual(news({ ...before, ...update }, seen).changes, []);
});

test("after a power cut the engine starts what ran well, though no daemon is there; a stop stays a stop", async () => {
  using folder = tempFolder();
  const [runs, onFailure, stopped, young] = [newName(), newName(), newName(), newName()];
  {
    await using life = live(folder.path, engine.socketPath, { trustAfterMs: 0 });
    for (const name of [runs, stopped]) await life.runtimes.create(spec(idle, { name }), ask());
    const restart = RestartMode.ON_FAILURE;
    await life.runtimes.create(spec(idle, { name: onFailure, restart }), ask());
    await life.runtimes.stop(stopped, ask());
  }
  {
    await using life = live(folder.path, engine.socketPath);
    await life.runtimes.create(spec(idle, { name: young }), ask());
  }
  await engine.cutPower();
  await engine.start();
  const stateOf = async (name: string) => {
    const [one] = await engine.docker.listContainers({
      all: true,
      filters: { label: [`edge.runtime=${name}`] },
    });
    return one?.State;
  };
  for (const name of [runs, onFailure]) {
    await until("the engine started it", async () => (await stateOf(name)) === "running");
  }
  assert.deepEqual([await stateOf(stopped), await stateOf(young)], ["exited", "exited"]);

  await using life = live(folder.path, engine.socketPath);
  const again = await until("the daemon saw it", async () => {
    const now = await life.runtimes.get(runs, ask().signal);
    return now.restarts === 1 && now;
  });
  assert.equal(again.phase, RuntimePhase.RUNNING);
  assert.deepEqual(life.changes(runs), ["CREATED", "STARTED", "EXITED", "STARTED"]);
  const reasons = life.events().map(({ reason }) => reason);
  assert.ok(reasons.includes("the engine started it again"), reasons.join("; "));
  await until("the young one runs, by the daemon", async () => (await stateOf(young)) === "running");
  assert.equal((await life.runtimes.get(stopped, ask().signal)).phase, RuntimePhase.STOPPED);
  for (const name of [runs, onFailure, stopped, young])
    await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a trusted program that crashes is started by the engine; one that goes on crashing, slower, by the daemon", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { trustAfterMs: 0 });
  const { runtimes } = life;
  const name = newName();
  const DO = "while ! [ -e /data/crash ]; do sleep 0.1; done; exit 7";
  const { runtime } = await runtimes.create(
    spec(script, { name, env: [{ name: "DO", value: DO }], stopGraceMs: 1 }),
    ask(),
  );
  const container = engine.docker.getContainer(runtime.containerId);
  const policy = async () => (await container.inspect()).HostConfig.RestartPolicy?.Name;
  assert.equal(await policy(), "unless-stopped");
  const touch = await container.exec({ Cmd: ["touch", "/data/crash"] });
  await touch.start({});
  await until("the daemon took over", async () => (await policy()) === "no");
  const failed = await until("it waits before it is started again", async () => {
    const now = await runtimes.get(name, ask().signal);
    return now.phase === RuntimePhase.CRASH_LOOP && now;
  });
  assert.match(
    failed.reason,
    /^its program ended on its own \d+ times in a row, the last time with exit code 7; it is started again at \S+Z$/,
  );
  await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});

test("an engine that does not let itself be told who starts a container is no reason to call a runtime failed", async () => {
  using folder = tempFolder();
  await using proxy = await engineProxy(engine.socketPath, (line) =>
    line.endsWith("/update") ? "fail-instead" : "pass",
  );
  await using life = live(folder.path, proxy.socketPath, { trustAfterMs: 0 });
  const name = newName();
  const { runtime } = await life.runtimes.create(spec(idle, { name }), ask());
  assert.equal(runtime.phase, RuntimePhase.RUNNING);
  const again = await life.runtimes.restart(name, ask());
  assert.equal(again.phase, RuntimePhase.RUNNING);
  assert.equal(proxy.seen.filter((line) => line.endsWith("/update")).length, 1);
  assert.ok(!life.changes(name).includes("FAILED"));
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});
