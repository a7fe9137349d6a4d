/** A node whose certificate lasts some seconds: it is never without one, whatever happens to it meanwhile. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { IdentityChangeKind } from "../../gen/edge/v1/events_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { readIdentity } from "../../src/daemon/identity/index.ts";
import { until } from "./until.ts";
import { startWorld, type World } from "./world.ts";

/** 8.64 seconds. */
const short = { ORCHESTRATOR_HUB_NODE_CERTIFICATE_DAYS: "0.0001" };

async function renewals(world: World): Promise<number> {
  const facts = (await world.events()).map(({ event }) => event?.fact);
  return facts.filter((it) => it?.case === "identity" && it.value.kind === IdentityChangeKind.RENEWED).length;
}

/** Resolves in the moment in which a file appears: some milliseconds later it may be gone again. */
async function appearance(path: string): Promise<void> {
  const deadline = AbortSignal.timeout(30_000);
  while (!existsSync(path)) await sleep(1, undefined, { signal: deadline });
}

function dataDir(world: World): string {
  return world.env.ORCHESTRATOR_DAEMON_DATA_DIR ?? "";
}

describe("a certificate of some seconds", () => {
  it("is renewed while commands are carried out, and through kills in the midst of it", async () => {
    await using world = await startWorld({ env: short });
    const runtimes = world.remote(Runtimes);
    const spec = { name: "plc", image: world.image, profile: RuntimeProfile.PLAIN };
    await runtimes.createRuntime({ spec });
    const { certificateExpiresAt: first } = await world.local(Node).getNode({});
    let commands = 0;
    await until("it was renewed twice, and more commands were carried out", async () => {
      await runtimes.startRuntime({ name: "plc" });
      commands++;
      return commands > 2 && (await renewals(world)) >= 2;
    });
    const { certificateExpiresAt: second } = await world.local(Node).getNode({});
    assert.ok(first && second && second.seconds > first.seconds);

    const next = join(dataDir(world), "identity.next.json");
    for (const afterMs of [0, 5, 30]) {
      await appearance(next);
      await sleep(afterMs);
      await world.daemon.kill9();
      assert.equal((await readIdentity(dataDir(world)))?.nodeId, world.nodeId);
      await world.startDaemon();
      await world.connected();
      await until("one identity is left", () => !existsSync(next));
    }
    await runtimes.startRuntime({ name: "plc" });
    const { runtime } = await runtimes.getRuntime({ name: "plc" });
    assert.equal(runtime?.restarts, 0);
    const { nodes } = await world.fleet().listNodes({});
    assert.deepEqual([nodes.length, nodes[0]?.warning], [1, ""]);
  });

  it("may end while the node is away: it comes back by its key, until it is removed", async () => {
    await using world = await startWorld({ env: short });
    const before = readFileSync(join(dataDir(world), "identity.json"), "utf8");
    await world.daemon.stop();
    await until("its certificate has ended", async () => {
      const [node] = (await world.fleet().listNodes({})).nodes;
      return Number(node?.certificateExpiresAt?.seconds) * 1000 + 1_000 < Date.now();
    });
    await world.startDaemon();
    await world.connected();
    // The hub welcomes it first, and then it takes the place of the old one.
    const now = () => readFileSync(join(dataDir(world), "identity.json"), "utf8");
    await until("it has another certificate", () => now() !== before);

    await world.fleet().removeNode({ id: world.nodeId, onlyHere: true });
    await until("it is told", () => /was removed from the fleet/.test(world.daemon.output()));
    assert.deepEqual((await world.fleet().listNodes({})).nodes, []);
    await world.hub.stop();
    await world.startHub();
    await world.daemon.stop();
    await world.startDaemon();
    const told = () => world.daemon.output().match(/was removed from the fleet/g)?.length ?? 0;
    await until("it is told again by the next hub", () => told() >= 2);
  });
});
