/** The hub is away for a while: nothing on the node changes, and on its return everything arrives once and in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "../../gen/edge/v1/command_pb.ts";
import { RuntimeChangeKind } from "../../gen/edge/v1/events_pb.ts";
import { CommandState } from "../../gen/edge/v1/fleet_pb.ts";
import { RuntimePhase, RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { until } from "./until.ts";
import { startWorld } from "./world.ts";

test("queued commands run once, events that happened meanwhile arrive once and in order, and nothing restarts", async () => {
  await using world = await startWorld();
  const spec = (name: string) => ({ name, image: world.image, profile: RuntimeProfile.PLAIN });
  const remote = world.remote(Runtimes);
  await remote.createRuntime({ spec: spec("steady") });
  await remote.createRuntime({ spec: spec("wobbly") });
  const startedAt = async (name: string) => {
    const [id = ""] = (await world.objects(name)).containers;
    return (await world.docker.getContainer(id).inspect()).State.StartedAt;
  };
  const steady = await startedAt("steady");

  // What waits for an image that nobody has does not keep the daemon from ending.
  const waits = create(CommandSchema, {
    id: "waits",
    request: { case: "updateRuntime", value: { spec: { ...spec("steady"), image: "127.0.0.1:1/none:1" } } },
  });
  await world.fleet().submitCommand({ nodeId: world.nodeId, command: waits });
  for await (const { progress } of world.fleet().watchCommand({ id: "waits" })) {
    if (progress?.phase.startsWith("trying again")) break;
  }

  // Commands are queued while the node is away, so that they are still in the queue when the hub goes.
  await world.daemon.stop();
  for (let i = 0; i < 5; i++) {
    const command = create(CommandSchema, {
      id: `queued-${i}`,
      request: { case: "createRuntime", value: { spec: spec(`q-${i}`) } },
    });
    await world.fleet().submitCommand({ nodeId: world.nodeId, command });
  }
  await world.hub.stop();
  await world.startDaemon();

  // Life goes on: a container is killed and comes back, a runtime is made by a local caller.
  const local = world.local(Runtimes);
  const [victim = ""] = (await world.objects("wobbly")).containers;
  await world.docker.getContainer(victim).kill();
  await until(
    "the killed container runs again",
    async () => (await local.getRuntime({ name: "wobbly" })).runtime?.restarts === 1,
  );
  await local.createRuntime({ spec: spec("made-locally") });
  await local.deleteRuntime({ name: "made-locally" });
  assert.equal(await startedAt("steady"), steady, "the steady runtime was touched while the hub was away");

  await world.startHub();
  await world.connected();
  for (let i = 0; i < 5; i++) {
    const command = await until(`queued-${i} is finished`, async () => {
      const found = (await world.fleet().getCommand({ id: `queued-${i}` })).command;
      return found?.state === CommandState.FINISHED && found;
    });
    assert.equal(command.result?.outcome.case, "createRuntime");
    assert.equal((await world.objects(`q-${i}`)).containers.length, 1);
  }
  const events = await until("the last event is there", async () => {
    const all = await world.events();
    const names = all.map(({ event }) => event?.fact.case === "runtime" && event.fact.value.name);
    return names.includes("q-4") && all;
  });
  const facts = (name: string) =>
    events.flatMap(({ event }) =>
      event?.fact.case === "runtime" && event.fact.value.name === name ? [event.fact.value.kind] : [],
    );
  const { CREATED, STARTED, EXITED, DELETED, STOPPED } = RuntimeChangeKind;
  assert.deepEqual(facts("wobbly"), [CREATED, STARTED, EXITED, STARTED]);
  assert.deepEqual(
    facts("made-locally").filter((kind) => kind !== STOPPED),
    [CREATED, STARTED, DELETED],
  );
  for (let i = 0; i < 5; i++) assert.deepEqual(facts(`q-${i}`), [CREATED, STARTED]);
  const sequences = events.map((one) => Number(one.sequence));
  assert.deepEqual(
    sequences,
    [...new Set(sequences)].sort((a, b) => a - b),
    "once and in order",
  );

  assert.equal(await startedAt("steady"), steady, "the steady runtime was restarted by the reconnect");
  const { runtimes } = await remote.listRuntimes({});
  assert.ok(runtimes.every((one) => one.phase === RuntimePhase.RUNNING));
});
