import assert from "node:assert/strict";
import { once as event } from "node:events";
import { link } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { CreateRuntimeRequestSchema, RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { createRuntime } from "../../../src/daemon/runtimes/index.ts";
import { Work } from "../../../src/daemon/work/index.ts";
import { type Decide, engineProxy, type Fate } from "../../fakes/engine-proxy.ts";
import { localCaller, unguarded } from "../../fakes/unguarded.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, atOnceMs, leftOf, live, newName, spec } from "./life.ts";

const engine = await startEngine({ name: "faults" });
const idle = await idleImage(engine);
const script = await scriptImage(engine);
after(() => engine[Symbol.asyncDispose]());

/** Every request by which something is made, in order. */
const making = ["/networks/create", "/volumes/create", "/containers/create", "/start"];

/** The first request like this meets this fate; all others pass. */
function once(like: RegExp, fate: Fate, then: () => void): Decide {
  let isDone = false;
  return (line) => {
    if (isDone || !like.test(line)) return "pass";
    isDone = true;
    then();
    return fate;
  };
}

for (const end of making) {
  test(`a daemon that dies at POST ${end} takes its create up again: one container, the same answer`, async () => {
    using folder = tempFolder();
    await using proxy = await engineProxy(engine.socketPath);
    const name = newName();
    const command = { id: `crash-${name}` };
    {
      const life = live(folder.path, proxy.socketPath);
      const stopped = new AbortController();
      const died = Promise.withResolvers<void>();
      proxy.decide = once(new RegExp(`^POST .*${end}$`), "break-afterwards", () =>
        died.resolve(life[Symbol.asyncDispose]()),
      );
      const creating = life.runtimes.create(
        spec(idle, { name }),
        ask({ ...command, signal: stopped.signal }),
      );
      await died.promise;
      stopped.abort(failure("cancelled", "the daemon stops"));
      await assert.rejects(creating);
    }
    await using life = live(folder.path, engine.socketPath);
    const { created, runtime } = await life.runtimes.create(spec(idle, { name }), ask(command));
    assert.deepEqual([created, runtime.phase], [true, RuntimePhase.RUNNING]);
    assert.equal((await leftOf(engine, name)).length, 3);
    assert.deepEqual(life.changes(name), ["CREATED", "STARTED"]);
    const answeredAgain = await life.runtimes.create(spec(idle, { name }), ask(command));
    assert.deepEqual(answeredAgain, { created, runtime }, "and so it does when its answer was lost");
    const removed = await life.runtimes.delete(name, { keepVolume: false }, ask({ id: `delete-${name}` }));
    assert.deepEqual(await leftOf(engine, name), []);
    const again = await life.runtimes.delete(name, { keepVolume: false }, ask({ id: `delete-${name}` }));
    assert.deepEqual(again, removed, "a delete that is taken up again gets the same answer");
  });
}

test("a daemon that dies while it undoes a create finishes that, and gives the same failure", async () => {
  using folder = tempFolder();
  await using proxy = await engineProxy(engine.socketPath);
  const name = newName();
  const ends = spec(script, { name, env: [{ name: "DO", value: "exit 3" }] });
  const command = { id: `undo-${name}` };
  const stopped = new AbortController();
  {
    const life = live(folder.path, proxy.socketPath, { settleMs: atOnceMs });
    const died = Promise.withResolvers<void>();
    proxy.decide = once(/^DELETE /, "break-afterwards", () => died.resolve(life[Symbol.asyncDispose]()));
    const creating = life.runtimes.create(ends, ask({ ...command, signal: stopped.signal }));
    await died.promise;
    stopped.abort(failure("cancelled", "the daemon stops"));
    await assert.rejects(creating);
  }
  await using life = live(folder.path, engine.socketPath, { settleMs: atOnceMs });
  const again = life.runtimes.create(ends, ask(command));
  await assert.rejects(again, { kind: "invalid", message: /ended at once with exit code 3/ });
  assert.deepEqual(life.changes(name), ["UNDONE"]);
  assert.deepEqual(await leftOf(engine, name), []);
});

test("an engine that does the work and answers 500, or breaks off, makes nothing twice and leaves nothing", async () => {
  using folder = tempFolder();
  await using proxy = await engineProxy(engine.socketPath);
  await using life = live(folder.path, proxy.socketPath);
  for (const fate of ["fail-afterwards", "break-afterwards"] as const) {
    const name = newName();
    const met = new Set<string>();
    // Each request that changes something meets its fate the first time.
    proxy.decide = (line) => {
      if (line.startsWith("GET") || met.has(line)) return "pass";
      met.add(line);
      return fate;
    };
    const { runtime } = await life.runtimes.create(spec(idle, { name }), ask());
    assert.equal(runtime.phase, RuntimePhase.RUNNING);
    assert.equal((await leftOf(engine, name)).length, 3);
    for (const end of making)
      assert.ok(
        [...met].some((line) => line.endsWith(end)),
        `${end} met its fate`,
      );
    await life.runtimes.stop(name, ask());
    const removed = await life.runtimes.delete(name, { keepVolume: false }, ask());
    assert.deepEqual(removed.length, 3);
    assert.deepEqual(await leftOf(engine, name), []);
  }
});

test("what always fails is given up after a few attempts, with the engine's words, and undone", async () => {
  using folder = tempFolder();
  await using proxy = await engineProxy(engine.socketPath);
  await using life = live(folder.path, proxy.socketPath);
  const name = newName();
  proxy.decide = (line) => (line.endsWith("/start") ? "fail-instead" : "pass");
  await assert.rejects(life.runtimes.create(spec(idle, { name }), ask()), {
    kind: "unavailable",
    message: "the engine could not start the container: a hiccup",
  });
  assert.equal(proxy.seen.filter((line) => line.endsWith("/start")).length, 3);
  assert.deepEqual(await leftOf(engine, name), []);
});

/** The socket of a program that was killed: the file is there, and nobody listens. */
async function refusingSocket(folder: string): Promise<string> {
  const path = join(folder, "refusing.sock");
  const server = createServer().listen(`${path}.gone`);
  await event(server, "listening");
  await link(`${path}.gone`, path); // Closing removes only the name that it listened on.
  server.close();
  await event(server, "close");
  return path;
}

test("an engine that is not there, refuses or hangs is waited for, and named when the time runs out", async () => {
  using folder = tempFolder();
  const nobody = join(folder.path, "nobody.sock");
  const refusing = await refusingSocket(folder.path);
  await using hanging = await engineProxy(engine.socketPath, () => "hang");
  const cases = [
    [nobody, /^the engine at unix:.*nobody\.sock is not there: check that the engine runs, and docker\.host/],
    [refusing, /^the engine at unix:.*refusing\.sock refuses connections: check that the engine runs/],
    [hanging.socketPath, /^the engine at unix:.*docker\.sock did not tell its version within 0\.2 s/],
  ] as const;
  for (const [socket, message] of cases) {
    using state = tempFolder();
    await using life = live(state.path, socket, { timeouts: { ask: 200 } });
    const name = newName();
    const outOfTime = new AbortController();
    const reason = failure("deadline", "the command was not done within its budget of 1000 ms");
    const creating = life.runtimes.create(spec(idle, { name }), ask({ signal: outOfTime.signal }));
    await until("the loss of the engine", () => life.runtimes.status().problem);
    outOfTime.abort(reason);
    await assert.rejects(creating, { kind: "unavailable", message });
    assert.deepEqual(
      await life.runtimes.list(ask().signal),
      [],
      "nothing was made, so nothing is left to undo",
    );
    const { reachable, problem } = await life.runtimes.engineInfo(ask().signal);
    assert.equal(reachable, false);
    assert.match(problem, message);
  }
});

test("through the doors, too, the answer at the deadline says what was missing", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, join(folder.path, "nobody.sock"));
  const { sql, journal, clock, log, runtimes } = life;
  const dispatch: ConstructorParameters<typeof Work>[0]["dispatch"] = async (request, ask) => {
    assert.equal(request.case, "createRuntime");
    const value = await createRuntime({ runtimes }, create(CreateRuntimeRequestSchema, request.value), ask);
    return { case: "createRuntime", value };
  };
  using work = new Work({ sql, journal, clock, log, dispatch, guard: unguarded });
  const command = create(CommandSchema, {
    ...{ id: "c1", budgetMs: 300 },
    request: { case: "createRuntime", value: { spec: spec(idle, { name: newName() }) } },
  });
  const { outcome } = await work.call(command, localCaller, ask().signal);
  assert.ok(outcome.case === "failure");
  assert.equal(outcome.value.kind, FailureKind.UNAVAILABLE);
  assert.match(outcome.value.message, /is not there: .*; it stayed so until the command's time ran out$/);
  assert.equal(outcome.value.retryable, true);
});

test("while the engine is away nothing is known and nothing is lost; when it is back, all is done", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const [runs, late] = [newName(), newName()];
  const { runtime } = await runtimes.create(spec(idle, { name: runs }), ask());
  await engine.kill9();
  await until("the loss of the engine", () => !runtimes.status().engineReachable);
  const unknown = await runtimes.get(runs, ask().signal);
  assert.equal(unknown.phase, RuntimePhase.UNSPECIFIED);
  assert.match(
    unknown.reason,
    /^the engine at .* (refuses connections|is not there|broke the connection off)/,
  );
  const creating = runtimes.create(spec(idle, { name: late }), ask());
  await engine.start();
  assert.equal((await creating).runtime.phase, RuntimePhase.RUNNING);
  const kept = await runtimes.get(runs, ask().signal);
  assert.deepEqual(kept.startedAt, runtime.startedAt, "the container outlived its engine and was left alone");
  const lost = life.events().filter(({ fact }) => fact.case === "engine");
  assert.deepEqual(
    lost.map(({ fact }) => fact.case === "engine" && fact.value.reachable),
    [false, true],
  );
  for (const name of [runs, late]) await runtimes.delete(name, { keepVolume: false }, ask());
});
