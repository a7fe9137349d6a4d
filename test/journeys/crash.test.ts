/** kill -9 at random moments, many times: nothing is lost and nothing is done twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "../../gen/edge/v1/command_pb.ts";
import { CommandState } from "../../gen/edge/v1/fleet_pb.ts";
import { RuntimePhase, RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { until } from "./until.ts";
import { startWorld, type World } from "./world.ts";

/** A create takes about 400 ms here; kills are spread evenly over a little more than that, each jittered. */
const kills = 8;
const spreadMs = 600;
const moments = Array.from({ length: kills }, (_, i) => Math.round(((i + Math.random()) * spreadMs) / kills));

function createCommand(world: World, id: string, name: string) {
  const spec = { name, image: world.image, profile: RuntimeProfile.PLAIN, env: [{ name: "X", value: id }] };
  return create(CommandSchema, { id, request: { case: "createRuntime", value: { spec } } });
}

async function finished(world: World, id: string) {
  return await until(`command ${id} has its result`, async () => {
    const { command } = await world.fleet().getCommand({ id });
    return command?.state === CommandState.FINISHED ? command : undefined;
  });
}

/** One container that runs, one network, one volume, one success; and nothing else of ours on the engine. */
async function assertOneOfEach(world: World, id: string, name: string) {
  const { result } = await finished(world, id);
  assert.equal(result?.outcome.case, "createRuntime", inspect(result?.outcome.value));
  const { runtime } = await world.remote(Runtimes).getRuntime({ name });
  assert.equal(runtime?.phase, RuntimePhase.RUNNING);
  const { containers, networks, volumes } = await world.objects(name);
  assert.deepEqual([containers.length, networks.length, volumes.length], [1, 1, 1]);
}

async function assertNothingLeft(world: World) {
  const filters = { label: ["edge.runtime"] };
  assert.deepEqual(await world.docker.listContainers({ all: true, filters }), []);
  assert.deepEqual(await world.docker.listNetworks({ filters }), []);
  assert.deepEqual((await world.docker.listVolumes({ filters })).Volumes, []);
}

/** How many results the hub keeps for each command; reports are unique by journal and sequence, so a second would show. */
async function eventKinds(world: World, name: string) {
  const events = await world.events();
  return events.flatMap(({ event }) =>
    event?.fact.case === "runtime" && event.fact.value.name === name ? [event.fact.value.kind] : [],
  );
}

test("a daemon killed at any moment of a create makes exactly one of everything and answers once", async (t) => {
  await using world = await startWorld();
  for (const [round, moment] of moments.entries()) {
    await t.test(`killed ${moment} ms after the command was queued`, async () => {
      const [id, name] = [`create-${round}`, `plc-${round}`];
      await world.fleet().submitCommand({ nodeId: world.nodeId, command: createCommand(world, id, name) });
      await sleep(moment);
      await world.daemon.kill9();
      await world.startDaemon();
      await world.connected();
      await assertOneOfEach(world, id, name);
      await world.remote(Runtimes).deleteRuntime({ name });
      await assertNothingLeft(world);
      const created = (await eventKinds(world, name)).filter((kind) => kind === 1);
      assert.equal(created.length, 1, "one CREATED event");
    });
  }
});

test("a hub killed at any moment loses no accepted command and no report", async (t) => {
  await using world = await startWorld();
  for (const [round, moment] of moments.entries()) {
    await t.test(`killed ${moment} ms after the command was queued`, async () => {
      const [id, name] = [`hub-${round}`, `hub-plc-${round}`];
      await world.fleet().submitCommand({ nodeId: world.nodeId, command: createCommand(world, id, name) });
      await sleep(moment);
      await world.hub.kill9();
      await world.startHub();
      await world.connected();
      await assertOneOfEach(world, id, name);
      await world.remote(Runtimes).deleteRuntime({ name });
      await assertNothingLeft(world);
      // Pauses between attempts grow while a hub keeps dying; a new daemon begins with the shortest.
      await world.daemon.stop();
      await world.startDaemon();
      await world.connected();
    });
  }
  await t.test("the journal arrived once and in order", async () => {
    const sequences = (await world.events()).map((one) => Number(one.sequence));
    assert.deepEqual(
      sequences,
      [...new Set(sequences)].sort((a, b) => a - b),
    );
  });
});
