import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { transportTo } from "../../../tools/fleet/door.ts";
import { nodeIdOf } from "../../../tools/fleet/identities.ts";
import { type Asked, keepAsking } from "../../../tools/fleet/operators.ts";
import { ownHub } from "../../../tools/fleet/own-hub.ts";
import { openShares } from "../../../tools/fleet/shares.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { orchestrator } from "../../journeys/program.ts";
import { until } from "../../journeys/until.ts";

const nodes = 20;

test("a simulated fleet answers commands, comes back after its lines broke, and can be enrolled one by one", async () => {
  using folder = tempFolder();
  const env = { ORCHESTRATOR_HUB_BEAT_INTERVAL_MS: "3000" };
  await using hub = await ownHub({ folder: folder.path, nodes, entry: orchestrator, env });
  await hub.start();
  const door = await hub.door();
  await using shares = await openShares({
    count: nodes,
    source: { authorityFolder: hub.authorityFolder },
  });
  const habits = { rootPem: door.caPem, port: hub.linePort, answerMs: 10, runtimes: 2, beatMs: 0 };
  shares.dial(habits, nodes, 100);
  await shares.untilUp(nodes);

  const asked: Asked = { answered: 0, failed: 0, latenciesMs: [] };
  const stop = new AbortController();
  const asking = keepAsking(door, { perSecond: 50, up: shares.up, asked }, stop.signal);
  await until("every node has answered", () => asked.answered >= nodes);
  stop.abort();
  await asking;
  assert.equal(asked.failed, 0, asked.why);
  const [first] = (await createClient(Fleet, transportTo(door)).listNodes({})).nodes;
  assert.equal(first?.id, nodeIdOf(0));
  assert.equal(first.status?.runtimes.length, 2);
  await until("beats are heard", () => shares.counts.beats > nodes);

  shares.cut(nodes);
  await until("every node has come back", () => {
    return shares.counts.welcomes >= 2 * nodes && shares.up.size === nodes;
  });

  await using enrolled = await openShares({ count: 2, source: { hub: door } });
  enrolled.dial(habits, 2, 100);
  await enrolled.untilUp(2);
  assert.equal((await createClient(Fleet, transportTo(door)).listNodes({})).nodes.length, nodes + 2);
});
