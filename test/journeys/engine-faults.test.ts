import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimePhase, RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { startEngine } from "../fixtures/engine.ts";
import { engineFaults } from "./trouble/engine-faults.ts";
import { trial } from "./trouble/trial.ts";
import { until } from "./until.ts";
import { startWorld } from "./world.ts";

test("whatever the engine does meanwhile: each command has one honest answer, and nobody else is touched", async (t) => {
  await trial(t, async (seed) => {
    const { faults, commands, failed } = await engineFaults(seed, 1, (line) => t.diagnostic(line));
    t.diagnostic(`${faults} faults, ${commands} commands, of which ${failed} failed`);
  });
});

test("while the engine stands still the node is read and seen as ever, and what runs goes on", async () => {
  await using engine = await startEngine({ name: "still" });
  await using world = await startWorld({ engine });
  const name = "line1";
  const spec = { name, image: world.image, profile: RuntimeProfile.PLAIN };
  const { runtime } = await world.remote(Runtimes).createRuntime({ spec });
  const seen = async () => (await world.fleet().listNodes({})).nodes[0];
  const before = await seen();

  await engine.sigstop();
  const [told, { runtimes }, remote] = await Promise.all([
    world.local(Node).getNode({}),
    world.local(Runtimes).listRuntimes({}),
    world.remote(Runtimes).getRuntime({ name }),
  ]);
  assert.equal(told.engine?.reachable, false);
  assert.match(told.engine?.problem ?? "", /did not tell its version within/);
  const phases = [runtimes[0]?.phase, remote.runtime?.phase];
  assert.deepEqual(phases, [RuntimePhase.UNSPECIFIED, RuntimePhase.UNSPECIFIED], "nobody knows");
  assert.match(runtimes[0]?.reason ?? "", /^the engine at .* did not /);
  const still = await until("another beat", async () => {
    const now = await seen();
    return now?.seenAt && now.seenAt.seconds > (before?.seenAt?.seconds ?? 0n) && now;
  });
  assert.deepEqual([still.connected, still.changedAt], [true, before?.changedAt]);

  engine.sigcont();
  const after = await until("the engine is heard again", async () => {
    const now = (await world.local(Runtimes).getRuntime({ name })).runtime;
    return now?.phase === RuntimePhase.RUNNING && now;
  });
  assert.deepEqual(after.startedAt, runtime?.startedAt);
});

test("an engine without live restore dies: what it ended runs again, and it is said why", async () => {
  await using engine = await startEngine({ name: "mortal", liveRestore: false });
  await using world = await startWorld({ engine });
  const names = ["line1", "line2"];
  const spec = (name: string) => ({
    name,
    image: world.image,
    profile: RuntimeProfile.PLAIN,
    stopGraceMs: 1000,
  });
  const remote = world.remote(Runtimes);
  for (const name of names) await remote.createRuntime({ spec: spec(name) });
  await remote.stopRuntime({ name: "line2" });
  const started = async () => (await remote.getRuntime({ name: "line1" })).runtime?.startedAt;
  const before = await started();

  await engine.kill9();
  await engine.start();
  await until("line1 runs again", async () => {
    const { runtime } = await remote.getRuntime({ name: "line1" });
    return runtime?.phase === RuntimePhase.RUNNING && !isDeepStrictEqual(runtime.startedAt, before);
  });
  const { runtime } = await remote.getRuntime({ name: "line2" });
  assert.equal(runtime?.phase, RuntimePhase.STOPPED, "what an operator stopped stays stopped");
  await until("it is said why", async () => {
    const { stdout } = await world.cli("why", "line1", "--local");
    return /it was started again by itself once/.test(stdout) || assert.fail(stdout);
  });
});
