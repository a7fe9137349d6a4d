/** The years of a node's identity in some seconds: another root, certificates that are revoked, and the way back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { Authority } from "../../gen/edge/v1/authority_pb.ts";
import { RuntimePhase, RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { readIdentity } from "../../src/daemon/identity/index.ts";
import { certificatesOf } from "../../src/wire/judge.ts";
import { until } from "./until.ts";
import { startWorld, type World } from "./world.ts";

async function roots(world: World) {
  return (await world.remote(Authority).listRoots({})).roots;
}

/** How many roots the node trusts. */
async function trusted(world: World): Promise<number> {
  const identity = await readIdentity(join(world.folder, "daemon"));
  return certificatesOf(identity?.caPem ?? "").length;
}

it("a node goes over to another root, is revoked, and comes back as itself, and its runtime sees none of it", async () => {
  await using world = await startWorld();
  const runtimes = world.remote(Runtimes);
  const spec = { name: "plc", image: world.image, profile: RuntimeProfile.PLAIN };
  await runtimes.createRuntime({ spec });
  const [{ id: old } = { id: "" }] = await roots(world);

  const away: string[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const { node } of world.fleet().watchNodes({}, { signal: stop.signal })) {
      if (node && !node.connected) away.push(node.id);
    }
  })().catch(() => {});
  await world.remote(Authority).rotateRoot({});
  await until("the node has a certificate of the new root", async () => (await roots(world))[0]?.nodes === 1);
  await runtimes.startRuntime({ name: "plc" });
  // The hub counts it when it is used for the first time, and then it takes the place of the old one.
  await until("the node trusts both roots", async () => (await trusted(world)) === 2);
  assert.deepEqual(away, [], "its line was never down");
  stop.abort();
  await watching;

  await world.hub.kill9();
  await world.startHub();
  await world.connected();
  await world.remote(Authority).retireRoot({ id: old });
  await until("the node trusts the new root alone", async () => (await trusted(world)) === 1);
  await world.daemon.kill9();
  await world.startDaemon();
  await world.connected();

  await world.fleet().revokeNode({ id: world.nodeId });
  const told = () => world.daemon.output().match(/certificates of node .* were revoked/g)?.length ?? 0;
  await until("the node is told", () => told() > 0);
  await world.hub.stop();
  await world.startHub();
  await world.daemon.stop();
  const before = told(); // It may have asked the next hub already.
  await world.startDaemon();
  await until("it is told again by the next hub", () => told() > before);
  const { token } = await world.fleet().createEnrolmentToken({ nodeId: world.nodeId });
  const { code, stderr } = await world.cli("daemon", "enroll", "--force", "--token", token);
  assert.equal(code, 0, stderr);
  await world.daemon.stop();
  await world.startDaemon();
  await world.connected();
  const { nodes } = await world.fleet().listNodes({});
  assert.deepEqual([nodes.length, nodes[0]?.id, nodes[0]?.revokedAt], [1, world.nodeId, undefined]);
  const { runtime } = await world.local(Runtimes).getRuntime({ name: "plc" });
  assert.deepEqual([runtime?.phase, runtime?.restarts], [RuntimePhase.RUNNING, 0]);
});
