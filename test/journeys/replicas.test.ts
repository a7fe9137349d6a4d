/** Two hubs on one PostgreSQL and one nats-server, all real processes: what each of them may lose without anybody losing work. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { openPlant, type Replica } from "./replicas/plant.ts";
import { until } from "./until.ts";

const [serving, notServing] = [1, 2];

async function health(hub: Replica, service: string, wanted: number): Promise<boolean> {
  return (await hub.client(Health).check({ service })).status === wanted;
}

test("replicas: commands cross, and a replica, the bus and the store may go and come back", async (t) => {
  await using plant = await openPlant({ hubs: 2, nodes: 6, answerMs: 50 });
  const { hubs, nodes, tally, nats, postgres } = plant;
  const [a, b] = hubs;
  assert.ok(a && b);
  await plant.allUp();
  let asked = 0;
  /** Each node is asked through each of these hubs, all at once. */
  const askAll = (through = hubs) =>
    through.flatMap((hub) => nodes.map(({ nodeId }) => hub.restart(nodeId, `c-${++asked}`)));
  /** Fails with the names of those that a hub does not see. */
  const seesAll = async (hub: Replica) => {
    const { nodes: all } = await hub.client(Fleet).listNodes({});
    const missing = all.filter((one) => !one.connected).map(({ id }) => id);
    const up = nodes.filter(({ isUp }) => isUp).map(({ nodeId }) => nodeId);
    assert.deepEqual(missing, [], `these are up: ${up.join(", ")}`);
    return true;
  };

  await t.test("any hub takes any request for any node, commands and reads", async () => {
    for (const hub of hubs) await until("it sees all", () => seesAll(hub));
    await Promise.all(askAll());
    await Promise.all(hubs.flatMap((hub) => nodes.map(({ nodeId }) => hub.read(nodeId))));
    assert.equal(tally.commands, asked);
  });

  await t.test(
    "a hub that is killed in the middle of commands loses none and has none done twice",
    async () => {
      const answers = askAll([a, a, a]);
      await sleep(60);
      await b.program.kill9();
      await Promise.all(answers);
      await plant.allUp();
      assert.equal(tally.commands, asked);
      await until("all are seen at the one that is left", () => seesAll(a));
      await b.start();
    },
  );

  await t.test("without the bus all goes on, a little later, and health says so", async () => {
    await nats.kill9();
    await until("it is said", () => health(a, "bus", notServing));
    assert.ok(await health(a, "", serving));
    await Promise.all(askAll());
    assert.equal(tally.commands, asked);
    await nats.start();
    await Promise.all(askAll());
    assert.equal(tally.commands, asked);
  });

  await t.test(
    "without the store lines stay up, callers are told, and all goes on when it is back",
    async () => {
      const lost = tally.losses;
      await postgres.stop();
      await assert.rejects(a.restart(nodes[0]?.nodeId ?? "", "c-away"), { code: 14 });
      await sleep(1000);
      await postgres.start();
      await until("commands work", async () => {
        await Promise.all(askAll());
        return true;
      });
      assert.equal(tally.losses, lost, "no line was lost");
    },
  );

  await t.test("a hub that is asked to end sends its nodes to the other first", async () => {
    await a.program.stop();
    await plant.allUp();
    await until("all are at the other", () => seesAll(b));
    await Promise.all(askAll([b]));
  });
});
