import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Command, CommandSchema, type Result } from "../../../gen/edge/v1/command_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { Door } from "../../../gen/edge/v1/policy_pb.ts";
import { StopRuntimeResponseSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { Failure, failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { type Ask, type Guard, schema, Work } from "../../../src/daemon/work/index.ts";
import { localCaller, unguarded } from "../../fakes/unguarded.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";

type Does = (name: string, ask: Ask) => Promise<void>;

/** A life of the daemon's work on a state file. */
function live(path: string, does: Does, guard: Guard = unguarded, clock: Clock = systemClock) {
  const sql = Sql.open(path, [journalSchema, schema], () => Date.now());
  const journal = Journal.open(sql, { now: () => Date.now() });
  const log = openLog({ program: "test", level: "silent", format: "json" });
  const work = new Work({
    ...{ sql, journal, clock, log, guard },
    dispatch: async (request, ask) => {
      assert.equal(request.case, "stopRuntime");
      if (request.case === "stopRuntime") await does(request.value.name, ask);
      return { case: "stopRuntime", value: create(StopRuntimeResponseSchema) };
    },
  });
  const results = (): Result[] =>
    journal.read(0, 2000).flatMap(({ entry }) => (entry.case === "result" ? entry.value : []));
  const reported = (count: number) => until(`${count} results`, () => results().length >= count && results());
  return {
    ...{ work, journal, results, reported },
    async [Symbol.asyncDispose]() {
      work[Symbol.dispose]();
      sql[Symbol.dispose]();
    },
  };
}

function stop(id: string, name = "plc1", init: MessageInitShape<typeof CommandSchema> = {}): Command {
  return create(CommandSchema, { id, request: { case: "stopRuntime", value: { name } }, ...init });
}

function kindOf(result: Result | undefined): FailureKind | undefined {
  return result?.outcome.case === "failure" ? result.outcome.value.kind : undefined;
}

test("more commands than a node may have unfinished are answered at once, from every door", async () => {
  using folder = tempFolder();
  const gate = Promise.withResolvers<void>();
  await using life = live(join(folder.path, "db"), () => gate.promise);
  for (let at = 1; at <= 1_001; at++) life.work.accept(at, stop(`c${at}`, `plc${at}`));
  const [only] = await life.reported(1);
  assert.deepEqual([only?.commandId, kindOf(only)], ["c1001", FailureKind.EXHAUSTED]);
  await assert.rejects(life.work.call(stop("local"), localCaller, AbortSignal.timeout(30_000)), {
    kind: "exhausted",
    message: "1000 commands of this node are unfinished: try again when some are done",
  });
  gate.resolve();
  assert.equal((await life.reported(1_001)).length, 1_001);
});

test("a command is carried out once, however often and under whatever sequence it comes", async () => {
  using folder = tempFolder();
  const gate = Promise.withResolvers<void>();
  let times = 0;
  await using life = live(join(folder.path, "db"), async () => {
    times++;
    await gate.promise;
  });
  life.work.accept(1, stop("a"));
  life.work.accept(1, stop("a"));
  gate.resolve();
  await life.reported(1);
  life.work.accept(2, stop("a"));
  assert.equal(times, 1);
  assert.equal(life.results().length, 1, "the result that the hub has not acknowledged is not written twice");
  assert.equal(life.work.lastSequence, 2);
});

test("a result that the hub acknowledged and asks for again is reported again, not made again", async () => {
  using folder = tempFolder();
  let times = 0;
  await using life = live(join(folder.path, "db"), async () => void times++);
  life.work.accept(1, stop("a"));
  await life.reported(1);
  life.journal.acknowledge(life.journal.range().last);
  assert.equal(life.results().length, 0);
  life.work.accept(1, stop("a"));
  await life.reported(1);
  assert.equal(times, 1);
});

test("what was accepted and not finished is taken up again by the next life, in order per workload", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "db");
  {
    await using life = live(
      path,
      (_, ask) => new Promise((_, reject) => ask.signal.addEventListener("abort", reject)),
    );
    for (const [i, id] of ["a", "b", "c"].entries()) life.work.accept(i + 1, stop(id));
  }
  const order: string[] = [];
  await using life = live(path, async (_, ask) => void order.push(ask.id));
  assert.deepEqual(life.results(), [], "the end of the daemon is not a result");
  assert.equal(life.work.resume(), 3);
  await life.reported(3);
  assert.deepEqual(order, ["a", "b", "c"]);
  assert.equal(life.work.lastSequence, 3);
});

test("when the daemon stops, what is still waited for ends without an answer", async () => {
  using folder = tempFolder();
  let ended = false;
  const life = live(join(folder.path, "db"), async (_, { signal }) => {
    await systemClock.sleep(60_000, signal).finally(() => {
      ended = true;
    });
  });
  life.work.accept(1, stop("a"));
  const asked = assert.rejects(life.work.call(stop("b", "plc2"), localCaller, AbortSignal.timeout(60_000)), {
    kind: "unavailable",
  });
  await until("they are begun", () => life.work.unfinished === 2);
  life.work[Symbol.dispose]();
  await asked;
  await until("they have ended", () => ended);
  await life[Symbol.asyncDispose]();
  await using next = live(join(folder.path, "db"), async () => {});
  assert.equal(next.results().length, 0);
  assert.equal(next.work.resume(), 2);
});

test("commands of one workload run in order, of two side by side", async () => {
  using folder = tempFolder();
  const gate = Promise.withResolvers<void>();
  const order: string[] = [];
  await using life = live(join(folder.path, "db"), async (name, ask) => {
    if (ask.id === "a1") await gate.promise;
    order.push(`${name}/${ask.id}`);
  });
  life.work.accept(1, stop("a1", "a"));
  life.work.accept(2, stop("a2", "a"));
  life.work.accept(3, stop("b1", "b"));
  await life.reported(1);
  gate.resolve();
  await life.reported(3);
  assert.deepEqual(order, ["b/b1", "a/a1", "a/a2"]);
});

test("a handler that never returns is answered with deadline at its budget, and its lane goes on", async () => {
  using folder = tempFolder();
  await using life = live(join(folder.path, "db"), (_, ask) =>
    ask.id === "stuck" ? new Promise(() => {}) : Promise.resolve(),
  );
  life.work.accept(1, stop("stuck", "plc1", { budgetMs: 50 }));
  life.work.accept(2, stop("next"));
  const [first, second] = await life.reported(2);
  assert.equal(first?.commandId, "stuck");
  assert.equal(kindOf(first), FailureKind.DEADLINE);
  assert.equal(second?.outcome.case, "stopRuntime");
});

test("a budget counts what an earlier life used", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "db");
  const never = () => new Promise<void>(() => {});
  {
    let passedMs = 0;
    const clock = { ...systemClock, elapsed: () => systemClock.elapsed() + passedMs };
    await using life = live(path, never, unguarded, clock);
    life.work.accept(1, stop("slow", "plc1", { budgetMs: 600_000 }));
    passedMs = 599_900;
  }
  await using life = live(path, never);
  life.work.resume();
  const [result] = await life.reported(1); // Long before a budget that began anew would be over.
  assert.equal(kindOf(result), FailureKind.DEADLINE);
});

test("cancel ends a running command and one that waits, and leaves a finished one as it is", async () => {
  using folder = tempFolder();
  let started = 0;
  await using life = live(join(folder.path, "db"), async (_, ask) => {
    started++;
    if (ask.id === "done") return;
    await new Promise((_, reject) => ask.signal.addEventListener("abort", () => reject(ask.signal.reason)));
  });
  life.work.accept(1, stop("done"));
  await life.reported(1);
  life.work.accept(2, stop("runs"));
  life.work.accept(3, stop("waits"));
  await until("it runs", () => started === 2);
  for (const id of ["done", "waits", "runs", "unknown"]) life.work.cancel(id);
  const results = await life.reported(3);
  const kinds = Object.fromEntries(results.map((one) => [one.commandId, kindOf(one)]));
  assert.deepEqual(kinds, { done: undefined, waits: FailureKind.CANCELLED, runs: FailureKind.CANCELLED });
  assert.equal(started, 2, "the one that waited was never started");
});

test("a command that this node does not know is answered with unsupported", async () => {
  using folder = tempFolder();
  await using life = live(join(folder.path, "db"), () => assert.fail());
  life.work.accept(1, create(CommandSchema, { id: "future" }));
  const [result] = await life.reported(1);
  assert.equal(kindOf(result), FailureKind.UNSUPPORTED);
  assert.match(
    String(result?.outcome.case === "failure" && result.outcome.value.message),
    /older than the caller/,
  );
});

test("an invalid command is answered with its violations and never reaches a handler", async () => {
  using folder = tempFolder();
  await using life = live(join(folder.path, "db"), () => assert.fail());
  life.work.accept(1, stop("a", ""));
  const [result] = await life.reported(1);
  assert.ok(result?.outcome.case === "failure");
  assert.deepEqual(
    result.outcome.value.violations.map((one) => one.field),
    ["stop_runtime.name"],
  );
});

test("a result that does not fit into a frame becomes exhausted", async () => {
  using folder = tempFolder();
  const sql = Sql.open(join(folder.path, "db"), [journalSchema, schema], () => 0);
  const journal = Journal.open(sql, { now: () => 0 });
  const log = openLog({ program: "test", level: "silent", format: "json" });
  using work = new Work({
    ...{ sql, journal, clock: systemClock, log, guard: unguarded },
    dispatch: () =>
      Promise.resolve({
        case: "stopRuntime",
        value: create(StopRuntimeResponseSchema, { runtime: { reason: "x".repeat(2 << 20) } }),
      }),
  });
  const result = await work.call(stop("a"), localCaller, AbortSignal.timeout(30_000));
  assert.equal(kindOf(result), FailureKind.EXHAUSTED);
});

test("a local caller gets the stored result for the same id, a conflict for another command, and no report goes out", async () => {
  using folder = tempFolder();
  let times = 0;
  await using life = live(join(folder.path, "db"), async () => void times++);
  const soon = () => AbortSignal.timeout(30_000);
  const first = await life.work.call(stop("mine"), localCaller, soon());
  assert.deepEqual(await life.work.call(stop("mine"), localCaller, soon()), first);
  assert.equal(times, 1);
  await assert.rejects(
    life.work.call(stop("mine", "other"), localCaller, soon()),
    (thrown) => thrown instanceof Failure && thrown.kind === "conflict",
  );
  assert.deepEqual(life.results(), []);
});

test("a caller that leaves does not end its command", async () => {
  using folder = tempFolder();
  const gate = Promise.withResolvers<void>();
  await using life = live(join(folder.path, "db"), () => gate.promise);
  const leaves = new AbortController();
  const waiting = life.work.call(stop("mine"), localCaller, leaves.signal);
  leaves.abort(failure("cancelled", "gone"));
  await assert.rejects(waiting, /gone/);
  gate.resolve();
  const result = await life.work.call(stop("mine"), localCaller, AbortSignal.timeout(30_000));
  assert.equal(result.outcome.case, "stopRuntime");
});

test("nothing listens for the end of what is done", async () => {
  using folder = tempFolder();
  const signals: AbortSignal[] = [];
  await using life = live(join(folder.path, "db"), async (_, { signal }) => void signals.push(signal));
  const caller = new AbortController().signal;
  life.work.accept(1, stop("a"));
  await life.work.call(stop("a"), localCaller, caller);
  await life.work.read(stop("b"), localCaller, caller);
  assert.equal(signals.length, 2);
  for (const signal of [...signals, caller]) assert.deepEqual(getEventListeners(signal, "abort"), []);
});

test("reads are answered at once, bounded in number, and never kept", async () => {
  using folder = tempFolder();
  const gate = Promise.withResolvers<void>();
  await using life = live(join(folder.path, "db"), () => gate.promise);
  const soon = AbortSignal.timeout(30_000);
  const reads = Array.from({ length: 65 }, (_, i) => life.work.read(stop(`r${i}`), localCaller, soon));
  const refused = await Promise.race(reads);
  assert.equal(kindOf(refused), FailureKind.EXHAUSTED);
  gate.resolve();
  const all = await Promise.all(reads);
  assert.equal(all.filter((one) => one.outcome.case === "stopRuntime").length, 64);
  assert.equal(life.work.lastSequence, 0);
  assert.equal(life.work.resume(), 0);
});

/** A guard that denies what a test says, and tells what it was told. */
function guardian(mayNot: (id: string) => boolean) {
  const told: string[] = [];
  const guard: Guard = {
    judge: ({ id }, { door }) => ({
      ...(mayNot(id) && { why: failure("denied", "not today") }),
      note: () =>
        void told.push(
          `${id} ${mayNot(id) ? "denied" : "allowed"} at ${door === Door.HUB ? "HUB" : "LOCAL"}`,
        ),
    }),
    ended: ({ id }) => void told.push(`${id} ended`),
  };
  return { guard, told };
}

test("what the guard denies is answered and not carried out, whichever door it came through", async () => {
  using folder = tempFolder();
  const { guard, told } = guardian((id) => id.startsWith("bad"));
  const done: string[] = [];
  await using life = live(join(folder.path, "db"), async (name) => void done.push(name), guard);
  life.work.accept(1, stop("bad-1"));
  life.work.accept(2, stop("good"));
  life.work.accept(3, stop("bad-1"));
  const local = await life.work.call(stop("bad-2"), localCaller, AbortSignal.timeout(30_000));
  const read = await life.work.read(stop("bad-3"), localCaller, AbortSignal.timeout(30_000));
  assert.deepEqual([kindOf(local), kindOf(read)], [FailureKind.DENIED, FailureKind.DENIED]);
  const results = await life.reported(2);
  assert.equal(kindOf(results.find(({ commandId }) => commandId === "bad-1")), FailureKind.DENIED);
  assert.deepEqual(done, ["plc1"]);
  assert.deepEqual(
    told.filter((one) => !one.endsWith("ended")),
    ["bad-1 denied at HUB", "good allowed at HUB", "bad-2 denied at LOCAL", "bad-3 denied at LOCAL"],
  );
});

test("what was accepted is judged again when the daemon comes back, by who asked for it", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "db");
  {
    await using before = live(path, () => new Promise(() => {}));
    before.work.accept(1, stop("c1"));
  }
  const { guard, told } = guardian(() => true);
  await using after = live(path, () => Promise.reject(new Error("it is not to be carried out")), guard);
  after.work.resume();
  const [result] = await after.reported(1);
  assert.equal(kindOf(result), FailureKind.DENIED);
  assert.deepEqual(told, ["c1 denied at HUB", "c1 ended"]);
});

test("a decision that cannot be noted is as if the command had not come", async () => {
  using folder = tempFolder();
  const full = failure("exhausted", "the audit trail cannot be written");
  const note = () => {
    throw full;
  };
  const guard: Guard = { judge: () => ({ note }), ended() {} };
  await using life = live(
    join(folder.path, "db"),
    () => Promise.reject(new Error("it is not to be carried out")),
    guard,
  );
  assert.throws(() => life.work.accept(1, stop("c1")), full);
  await assert.rejects(life.work.call(stop("c2"), localCaller, AbortSignal.timeout(30_000)), full);
  assert.deepEqual([life.work.unfinished, life.work.lastSequence, life.results()], [0, 0, []]);
});

test("a command begins when the result of the one before, about the same workload, is on disk", async () => {
  using folder = tempFolder();
  let isFull = true;
  const guard: Guard = {
    judge: () => ({ note() {} }),
    ended() {
      if (isFull) throw failure("exhausted", "no space left");
    },
  };
  const begun: string[] = [];
  await using life = live(join(folder.path, "db"), async (_, { id }) => void begun.push(id), guard);
  life.work.accept(1, stop("a1", "a"));
  life.work.accept(2, stop("a2", "a"));
  life.work.accept(3, stop("b1", "b"));
  await until("both workloads began", () => begun.length >= 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(begun, ["a1", "b1"]);
  isFull = false;
  await life.reported(3);
  assert.deepEqual(begun, ["a1", "b1", "a2"]);
});
