/** A plant of three nodes gets its wishes a batch at a time, while the hub loses its power, and a canary saves the rest. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RolloutNodeState, RolloutState, Rollouts } from "../../gen/edge/v1/rollouts_pb.ts";
import { RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { type Program, program, runOnce } from "./program.ts";
import { until } from "./until.ts";
import { serviceAt, startWorld, type World } from "./world.ts";

/** Another node of the same fleet, on the same engine. */
async function anotherNode(world: World, name: string): Promise<Program> {
  const folder = join(world.folder, name);
  const env = { ...world.env, ORCHESTRATOR_DAEMON_DATA_DIR: folder };
  const { token } = await world.fleet().createEnrolmentToken({});
  const enrolled = await runOnce(["daemon", "enroll", "--token", token], { env });
  assert.equal(enrolled.code, 0, enrolled.stderr);
  const daemon = program(["daemon", "start"], { env });
  daemon.start();
  const socket = join(folder, "daemon.sock");
  await until(`${name} answers`, () => serviceAt(socket, Node).getNode({}));
  return daemon;
}

test("a rollout goes on after the hub lost its power, and one that goes wrong stops at its canary", async () => {
  await using world = await startWorld();
  await using others = new AsyncDisposableStack();
  const more = await Promise.all(
    ["second", "third"].map(async (name) => others.use(await anotherNode(world, name))),
  );
  const daemons = [world.daemon, ...more];
  const rollouts = world.remote(Rollouts);
  const connected = async () => {
    const { nodes } = await world.fleet().listNodes({});
    return nodes.length === 3 && nodes.every(({ connected }) => connected) && nodes;
  };
  const nodes = await until("all are connected", connected);
  for (const { id } of nodes) {
    await world.fleet().setNodeLabels({ id, set: [{ key: "site", value: "graz" }] });
  }

  const file = join(world.folder, "plant.yaml");
  const wish = (more: string) =>
    writeFileSync(
      file,
      `kind: Runtime\nspec: { name: press, image: "${world.image}", profile: plain${more} }\n`,
    );
  const apply = ["apply", "-f", file, "--selector", "site=graz", "--batch", "1", "--yes"];
  wish("");
  const begun = await world.cli(...apply, "--no-wait", "--rollout-id", "good");
  assert.equal(begun.code, 0, begun.stderr);
  for await (const { rollout } of rollouts.watchRollout({ id: "good" })) {
    if (rollout?.counts?.succeeded !== 1) continue;
    assert.equal(rollout.counts.running, 1, "the next is in work");
    break;
  }
  await world.hub.kill9();
  await world.startHub();
  const watched = await world.cli("rollout", "watch", "good");
  assert.equal(watched.code, 0, watched.stderr);
  assert.match(watched.stdout, /all batches have ended; 3 succeeded/);
  for (const { id } of nodes) {
    const { commands } = await world.fleet().listCommands({ nodeId: id });
    assert.equal(commands.length, 1, "each node had one command");
  }
  assert.equal((await world.objects("press")).containers.length, 3);

  // One that is held begins no other node; all lose their power, and what the first node had comes back all the same.
  const sockets = [
    world.localSocket,
    ...["second", "third"].map((name) => join(world.folder, name, "daemon.sock")),
  ];
  const graces = async () => {
    const all = sockets.map((socket) => serviceAt(socket, Runtimes).getRuntime({ name: "press" }));
    return (await Promise.all(all)).map(({ runtime }) => runtime?.spec?.stopGraceMs ?? 0).sort();
  };
  const runtimes = [{ name: "press", image: world.image, profile: RuntimeProfile.PLAIN, stopGraceMs: 2000 }];
  await rollouts.startRollout({
    id: "held",
    where: "site=graz",
    batch: "1",
    settleMs: 1000n,
    wishes: { runtimes },
  });
  await until("the first is in work", async () => {
    const { rollout } = await rollouts.getRollout({ id: "held" });
    return (rollout?.counts?.running ?? 0) > 0;
  });
  await rollouts.pauseRollout({ id: "held" });
  const first = await until("the first has settled", async () => {
    const { rollout } = await rollouts.getRollout({ id: "held" });
    return rollout?.counts?.succeeded === 1 && rollout;
  });
  assert.equal(first.state, RolloutState.PAUSED);
  assert.deepEqual(await graces(), [0, 0, 2000], "nobody else began while it was held");
  await Promise.all([world.hub, ...daemons].map((one) => one.kill9()));
  await world.startHub();
  for (const daemon of daemons) daemon.start();
  const back = await world.cli("rollout", "rollback", "held", "--yes");
  assert.equal(back.code, 0, back.stderr);
  assert.match(back.stdout, /1 node has what it had before; 1 succeeded, 2 skipped, 1 rolled back/);
  await until("all are connected again", connected); // Only the first was waited for.
  assert.deepEqual(await graces(), [0, 0, 0]);
  assert.equal((await world.objects("press")).containers.length, 3, "and no program was lost on the way");

  // Each node's own doctor, and what the hub knows, in one answer.
  const hub = await until("all doctors have looked in time", async () => {
    const doctor = await world.cli("doctor", "--all", "--json");
    const { nodes: looked, hub } = JSON.parse(doctor.stdout) as {
      nodes: { findings?: unknown[] }[];
      hub: unknown[];
    };
    const haveLooked = looked.length === 3 && looked.every(({ findings }) => (findings?.length ?? 0) > 10);
    assert.ok(haveLooked, doctor.stdout);
    return hub;
  });
  assert.ok(hub.length > 3);

  // The node's policy does not allow it: the first node says no, and no other is asked.
  wish(", capabilities: [SYS_ADMIN]");
  const refused = await world.cli(...apply, "--rollout-id", "bad");
  assert.equal(refused.code, 6, refused.stderr);
  const { rollout } = await rollouts.getRollout({ id: "bad" });
  const { FAILED, SKIPPED } = RolloutNodeState;
  assert.deepEqual(
    rollout?.nodes.map(({ state }) => state),
    [FAILED, SKIPPED, SKIPPED],
  );
  assert.equal((await world.objects("press")).containers.length, 3, "what ran goes on");
});
