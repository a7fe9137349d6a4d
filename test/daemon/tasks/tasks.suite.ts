/** What the rooms of agents and tasks promise, on real cells and on those of the fake. */
import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { SpawnTaskRequestSchema } from "../../../gen/edge/v1/broker_pb.ts";
import {
  GetTaskLogsRequestSchema,
  GetTaskRequestSchema,
  ListTasksRequestSchema,
  TaskPriority,
  TaskState,
} from "../../../gen/edge/v1/tasks_pb.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { ask, type Life, type LifeOptions, live, type Place, silentOnceMade } from "./life.ts";

/** Answers what it is given. */
const echo = "cat";
/** Says that it has begun, and goes on until it is stopped. */
const endless = "cat; trap 'exit 7' TERM; echo begun; while :; do sleep 0.05; done";
/** Answers what it is given, goes on until it is told to, and then ends. */
const patient = "cat; echo one; until [ -e /go/on ]; do sleep 0.05; done; echo two";

export async function tasksSuite(t: TestContext, place: Place): Promise<void> {
  const story = (
    name: string,
    tell: (
      life: Life,
      again: (options?: LifeOptions, between?: () => Promise<void>) => Promise<Life>,
    ) => Promise<void>,
    options?: LifeOptions,
  ) =>
    t.test(name, async () => {
      using folder = tempFolder();
      let now = live(folder.path, place, options);
      try {
        await tell(now, async (others = options, between = () => Promise.resolve()) => {
          await now[Symbol.asyncDispose]();
          await between();
          now = live(folder.path, place, others);
          return now;
        });
        await until("no cell is left", async () => (await place.cellIds()).length === 0);
      } finally {
        await now[Symbol.asyncDispose]();
      }
    });
  const output = (life: Life, id: string) =>
    Buffer.from(life.tasks.get(create(GetTaskRequestSchema, { id, withOutput: true })).output).toString();
  /** Its program has its input; a short one may have ended, too. */
  const runs = (life: Life, id: string) => until(`${id} runs`, () => life.told(id).includes("RUNNING"));
  /** Its program has come to where it says so. */
  const begun = (life: Life, id: string) =>
    until(`${id} has begun`, async () => {
      const { lines } = await life.tasks.logs(create(GetTaskLogsRequestSchema, { id }), ask().signal);
      return lines.some(({ text }) => text === "begun");
    });
  /** A folder that `patient` looks into, and how it is told to go on. */
  const goes = (folder: string) => ({
    mounts: [{ nodePath: folder, path: "/go" }],
    goOn: () => writeFileSync(join(folder, "on"), "", { mode: 0o644 }),
  });
  const final = (life: Life, id: string) =>
    until(
      `${id} is finished`,
      () =>
        ["SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT"].includes(life.state(id) ?? "") && life.state(id),
    );

  await story("a task is given its input once, answers, and its log outlives its container", async (life) => {
    await life.deploy("echo", "cat; echo to people >&2");
    const { task, text } = await life.execute("echo", { text: "hello" }, "cmd-1");
    assert.equal(text, "hello");
    assert.deepEqual(
      [task.state, task.exitCode, task.attempts, task.inputBytes, task.outputBytes, task.warm],
      [TaskState.SUCCEEDED, 0, 1, 5, 5, false],
    );
    await until("its container is gone", async () => (await place.cellIds()).length === 0);
    const { lines } = await life.tasks.logs(create(GetTaskLogsRequestSchema, { id: "cmd-1" }), ask().signal);
    assert.deepEqual(lines.map(({ text }) => text).sort(), ["hello", "to people"]);
    assert.deepEqual(life.told("cmd-1"), ["QUEUED", "RUNNING", "SUCCEEDED"]);
    const again = await life.execute("echo", { text: "hello" }, "cmd-1");
    assert.deepEqual([again.text, again.task.attempts], ["hello", 1], "the same id is the same task");
    assert.equal(
      life.tasks.get(create(GetTaskRequestSchema, { id: "cmd" })).task.id,
      "cmd-1",
      "found by its beginning",
    );
  });

  await story(
    "what fails is tried again after a pause, with the reason, and fails in the end",
    async (life) => {
      await life.deploy("unlucky", "cat >/dev/null; exit 3", { retries: { most: 1, firstMs: 50 } });
      const id = await life.submit("unlucky");
      await final(life, id);
      const { task } = await life.execute("unlucky", {}, id);
      assert.deepEqual([task.state, task.attempts, task.exitCode], [TaskState.FAILED, 2, 3]);
      assert.match(task.reason, /exit code 3, at the last of 2 attempts/);
      assert.deepEqual(life.told(id), ["QUEUED", "RUNNING", "QUEUED", "RUNNING", "FAILED"]);
      await until("put away", async () => (await place.cellIds()).length === 0);
    },
  );

  await story("what takes longer than it may is ended, and says so", async (life) => {
    // It obeys, so that its grace is no time to wait.
    await life.deploy("slow", endless, { resources: { wallTimeMs: 1_500, stopGraceMs: 30_000 } });
    const { task, text } = await life.execute("slow");
    assert.deepEqual([task.state, task.exitCode, text], [TaskState.TIMED_OUT, 7, "begun\n"]);
    assert.match(task.reason, /longer than 1500 ms/);
  });

  await story("a cancelled task is killed when it does not obey, and stays cancelled", async (life) => {
    await life.deploy("stubborn", "cat; trap '' TERM; echo begun; while :; do sleep 0.05; done");
    const id = await life.submit("stubborn");
    const waiting = await life.submit("stubborn"); // Concurrency is 1.
    await begun(life, id);
    assert.equal(life.state(waiting), "QUEUED");
    const [one, other] = await Promise.all([
      life.tasks.cancel(id, "enough", ask().signal),
      life.tasks.cancel(waiting, "enough", ask().signal),
    ]);
    assert.deepEqual([one.task.state, one.cancelled, one.task.reason], [TaskState.CANCELLED, 1, "enough"]);
    assert.deepEqual([other.task.state, other.task.attempts], [TaskState.CANCELLED, 0]);
    assert.deepEqual(await place.cellIds(), [], "its container is gone when the cancel answers");
    assert.equal((await life.tasks.cancel(id, "again", ask().signal)).cancelled, 0);
  });

  await story(
    "a task that is cancelled in the moment in which it begins leaves no container",
    async (life) => {
      await life.deploy("warm", "cat; while :; do sleep 0.05; done", { warm: 1 });
      for (let steps = 0; steps < 12; steps++) {
        await until("one waits", () => life.agents.get("warm").warm === 1);
        const id = await life.submit("warm");
        for (let step = 0; step < steps; step++) await (step < 6 ? Promise.resolve() : nextTurn());
        const { task } = await life.tasks.cancel(id, "enough", ask().signal);
        assert.deepEqual([task.state, task.reason], [TaskState.CANCELLED, "enough"], `after ${steps} steps`);
      }
      await until("one waits, and no other is there", async () => {
        return life.agents.get("warm").warm === 1 && (await place.cellIds()).length === 1;
      });
      await life.agents.remove("warm", { cancelTasks: false }, ask());
    },
  );

  await story("a task comes after others, and fails when one of them does", async (life) => {
    await life.deploy("echo", echo, { concurrency: 2 });
    await life.deploy("failing", "cat >/dev/null; exit 1");
    const first = await life.submit("failing");
    const second = await life.submit("echo", { after: [first] });
    const third = await life.submit("echo", { after: [second] });
    assert.equal(await final(life, third), "FAILED");
    const { reason } = life.tasks.get(create(GetTaskRequestSchema, { id: third })).task;
    assert.match(reason, new RegExp(`after ${second}, which did not succeed`));
    const good = await life.submit("echo");
    assert.equal((await life.execute("echo", { after: [good], text: "x" })).text, "x");
    await assert.rejects(life.submit("echo", { after: ["nobody"] }), /no task nobody/);
  });

  await story(
    "the queue is bounded, and the urgent goes first",
    async (life) => {
      await life.deploy("endless", endless);
      await life.deploy("echo", echo);
      const first = await life.submit("endless");
      await runs(life, first);
      const low = await life.submit("echo", { priority: TaskPriority.LOW });
      const high = await life.submit("echo", { priority: TaskPriority.CRITICAL });
      await assert.rejects(life.submit("echo"), { kind: "exhausted" });
      await life.tasks.cancel(first, "", ask().signal);
      await final(life, low);
      const begun = [low, high].map(
        (id) => life.tasks.get(create(GetTaskRequestSchema, { id })).task.startedAt,
      );
      assert.ok(
        Number(begun[0]?.seconds) * 1e9 + Number(begun[0]?.nanos) >
          Number(begun[1]?.seconds) * 1e9 + Number(begun[1]?.nanos),
      );
    },
    { slots: () => 1, queueLimit: 2 },
  );

  await story("a task goes on while the daemon is away, and is taken up again", async (life, again) => {
    using folder = tempFolder();
    chmodSync(folder.path, 0o755); // The program has a user of its own.
    const { mounts, goOn } = goes(folder.path);
    await life.deploy("steady", patient, { mounts });
    const id = await life.submit("steady", { text: "in " });
    await runs(life, id);
    const since = performance.now();
    const next = await again(undefined, () => sleep(200));
    assert.equal(next.state(id), "RUNNING");
    const ranMs = Math.floor(performance.now() - since);
    goOn();
    assert.equal(await final(next, id), "SUCCEEDED");
    assert.equal(output(next, id), "in one\ntwo\n");
    const { task } = next.tasks.get(create(GetTaskRequestSchema, { id }));
    assert.equal(task.attempts, 1);
    assert.ok(Number(task.usage?.runMs) >= ranMs, "its time counts on");
  });

  const made = Promise.withResolvers<void>();
  await story(
    "a program that reads nothing runs once, though the daemon dies when its container is there",
    async (life, again) => {
      using counts = tempFolder();
      chmodSync(counts.path, 0o777); // The program has a user of its own.
      const mounts = [{ nodePath: counts.path, path: "/counts", writable: true }];
      await life.deploy("blind", "echo ran >> /counts/runs", { mounts });
      const id = await life.submit("blind");
      await made.promise;
      assert.equal(life.state(id), "STARTING");
      const next = await again({});
      assert.equal(await final(next, id), "SUCCEEDED");
      assert.equal(readFileSync(join(counts.path, "runs"), "utf8"), "ran\n");
    },
    { cells: silentOnceMade(place.cells, made.resolve) },
  );

  await story("a program that ended in time while the daemon was away is not late", async (life, again) => {
    using folder = tempFolder();
    chmodSync(folder.path, 0o755);
    const { mounts, goOn } = goes(folder.path);
    const wallTimeMs = 100_000;
    await life.deploy("prompt", patient, { mounts, resources: { wallTimeMs } });
    const id = await life.submit("prompt", { text: "x" });
    await runs(life, id);
    const machineTime = () => ({ bootId: "one", uptimeMs: performance.now() + wallTimeMs });
    const next = await again({ machineTime }, async () => {
      goOn();
      const isOver = async () => (await place.cells.list(ask().signal)).every(({ isRunning }) => !isRunning);
      await until("its program has ended", isOver);
    });
    assert.equal(await final(next, id), "SUCCEEDED");
  });

  await story(
    "a task that was being cancelled is cancelled by the next life of the daemon",
    async (life, again) => {
      await life.deploy("stubborn", "cat; trap '' TERM; echo begun; while :; do sleep 0.05; done", {
        resources: { stopGraceMs: 30_000 },
      });
      const id = await life.submit("stubborn");
      await begun(life, id);
      life.tasks.cancel(id, "enough", ask().signal).catch(() => {}); // It is let go of.
      await until("it is stopping", () => life.state(id) === "STOPPING");
      const next = await again();
      await next.deploy("stubborn", echo, { resources: { stopGraceMs: 100 } });
      assert.equal(next.state(id), "STOPPING");
      const cell = (await place.cells.list(ask().signal))[0];
      if (cell) await place.cells.stop(cell, 0, ask().signal);
      assert.equal(await final(next, id), "CANCELLED");
    },
  );

  await story(
    "children end with their parent, and a parent that waits lends its place",
    async (life) => {
      const rights = { spawn: ["child", "parent"], spawnTotal: 3 };
      await life.deploy("parent", endless, { rights, concurrency: 2 });
      await life.deploy("child", echo, { concurrency: 4 });
      const id = await life.submit("parent");
      await runs(life, id);
      const { tree } = life.tasks;
      const spawn = (init: { agent?: string; key?: string; input?: Buffer } = {}) =>
        tree.spawn(id, create(SpawnTaskRequestSchema, { agent: "child", ...init }));
      const child = spawn({ key: "one", input: Buffer.from("x") });
      assert.equal(spawn({ key: "one" }).id, child.id, "the same key is the same child");
      assert.deepEqual([child.parentId, child.rootId, child.depth], [id, id, 1]);
      const [done] = await tree.wait(id, [], { any: false }, ask().signal);
      assert.deepEqual(
        [done?.task?.state, Buffer.from(done?.output ?? []).toString()],
        [TaskState.SUCCEEDED, "x"],
      );
      assert.throws(() => spawn({ agent: "stranger" }), { kind: "denied" });
      const nested = spawn({ agent: "parent" });
      spawn();
      assert.throws(() => spawn(), /there may be 3 tasks/);
      await life.tasks.cancel(id, "enough", ask().signal);
      assert.equal(await final(life, nested.id), "CANCELLED");
      assert.throws(() => spawn(), { kind: "conflict" });
    },
    { slots: () => 1 },
  );

  await story("containers wait for tasks, are used once, and are replaced at a new version", async (life) => {
    await life.deploy("warm", "read -r x; echo $x", { warm: 2, concurrency: 2 });
    await until("two wait", () => life.agents.get("warm").warm === 2);
    const before = new Set(await place.cellIds());
    const { task, text } = await life.execute("warm", { text: "hi\n" });
    assert.deepEqual([text, task.warm], ["hi\n", true]);
    await until("two wait again", () => life.agents.get("warm").warm === 2);
    const { agent } = await life.deploy("warm", "cat; echo new", { warm: 1 });
    assert.equal(agent?.current?.version, 2);
    await until("only the new one waits", async () => {
      const now = await place.cellIds();
      return now.length === 1 && !now.some((one) => before.has(one));
    });
    assert.equal((await life.execute("warm", { text: "hi\n" })).text, "hi\nnew\n");
    await life.agents.rollback("warm", 1, ask());
    assert.equal(life.agents.get("warm").current?.version, 1);
    await life.agents.remove("warm", { cancelTasks: false }, ask());
    assert.throws(() => life.agents.get("warm"), { kind: "not_found" });
  });

  await story("a program that does not wait for its input is told as a problem", async (life) => {
    await life.deploy("hasty", "exit 4", { warm: 1 });
    await until("the problem is told", () => /exit code 4/.test(life.agents.get("hasty").problem));
    await life.agents.remove("hasty", { cancelTasks: false }, ask());
  });

  await story("an agent with tasks is removed with them only when that is asked", async (life) => {
    await life.deploy("endless", endless);
    const id = await life.submit("endless");
    await runs(life, id);
    await assert.rejects(life.agents.remove("endless", { cancelTasks: false }, ask()), { kind: "conflict" });
    assert.equal(await life.agents.remove("endless", { cancelTasks: true }, ask()), 1);
    assert.equal(life.state(id), "CANCELLED", "its tasks stay to be read");
  });

  await story("a schedule executes its agent once for each of its times", async (life) => {
    await life.deploy("often", echo, { schedule: { cron: "* * * * * *", input: Buffer.from("tick") } });
    const list = () => life.tasks.list(create(ListTasksRequestSchema, { agent: "often" }));
    await until("it ran", () => list().some(({ state }) => state === TaskState.SUCCEEDED));
    const { changed } = await life.deploy("often", echo, {
      schedule: { cron: "* * * * * *", input: Buffer.from("tick"), paused: true },
    });
    assert.ok(changed);
    const first = list().find(({ state }) => state === TaskState.SUCCEEDED); // A later one may be under way.
    assert.equal(output(life, first?.id ?? ""), "tick");
    await until("none is under way", () => list().every(({ state }) => state === TaskState.SUCCEEDED));
  });
}
