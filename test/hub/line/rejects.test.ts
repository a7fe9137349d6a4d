import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import { LeftWorkloads } from "../../../gen/edge/v1/node_pb.ts";
import { newIdentity } from "../../fakes/node.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { hourMs, startHub, startPlc } from "./hub.ts";

test("a first frame that is no hello is refused, and so is a protocol of the future", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  using mute = hub.dial(identity);
  mute.send({ case: "beat", value: {} });
  assert.equal((await mute.next("reject")).code, RejectCode.BAD_HELLO);
  assert.equal((await mute.ended).code, 0, "the stream ends in order after a reject");

  using newer = hub.dial(identity);
  newer.hello({ protocolMin: 9, protocolMax: 9 });
  assert.equal((await newer.next("reject")).code, RejectCode.PROTOCOL);
  assert.equal(hub.fleet.isConnected("n-a"), false);
});

test("a removed node is cut at once and refused from then on, as is one that this hub never knew", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  using node = await hub.connect(identity);
  await hub.fleet.remove("n-a");
  assert.equal((await node.next("reject")).code, RejectCode.REMOVED);
  await node.ended;

  using again = hub.dial(identity);
  again.hello({ sessionEpoch: 2n });
  const reject = await again.next("reject");
  assert.deepEqual([reject.code, reject.retryable], [RejectCode.REMOVED, false]);
  using stranger = hub.dial(await newIdentity(hub.authority, "n-stranger"));
  stranger.hello();
  assert.match(
    (await stranger.next("reject")).message,
    /this hub does not know node n-stranger: enrol it here/,
  );
});

test("a removed node is told what becomes of its workloads, by the next hub too, whatever its certificate has become", async () => {
  using folder = tempFolder();
  const [away, lost, known] = ["n-away", "n-lost", "n-known"];
  const identities = await (async () => {
    await using hub = await startHub({ path: folder.path });
    const identities = {
      away: await hub.enrol(away, 3 * hourMs), // It ended two hours ago.
      lost: await hub.enrol(lost),
      known: await hub.enrol(known),
    };
    await hub.fleet.remove(away, { workloads: LeftWorkloads.PURGE });
    await hub.fleet.remove(lost, { workloads: undefined });
    using node = await hub.connect(identities.known);
    await hub.fleet.remove(known, { workloads: LeftWorkloads.KEEP });
    assert.equal((await node.next("reject")).decommission?.workloads, LeftWorkloads.KEEP);
    await node.ended; // It does not leave by itself, and the hub does not wait.
    return identities;
  })();

  await using hub = await startHub({ path: folder.path });
  const told = async (identity: typeof identities.away) => {
    using node = hub.dial(identity);
    node.hello({ sessionEpoch: 9n });
    const { code, decommission } = await node.next("reject");
    assert.equal(code, RejectCode.REMOVED);
    return decommission?.workloads;
  };
  assert.equal(await told(identities.away), LeftWorkloads.PURGE);
  assert.equal(await told(identities.known), LeftWorkloads.KEEP);
  assert.equal(await told(identities.lost), undefined);
  assert.equal(
    await told(await newIdentity(hub.authority, "n-stranger")),
    undefined,
    "this hub is from a copy",
  );
});

test("the highest epoch is served: the older stream is told, and its late frames and its end change nothing", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  using older = await hub.connect(identity, { sessionEpoch: 1n });
  using newer = await hub.connect(identity, { sessionEpoch: 2n, instanceId: "i2" });
  assert.equal((await older.next("reject")).code, RejectCode.SUPERSEDED);
  older.send({ case: "status", value: { engineReachable: true, runtimes: [{ name: "late" }] } });
  older.send({
    case: "report",
    value: { sequence: 1n, entry: { case: "event", value: { reason: "late" } } },
  });
  await older.ended;

  newer.send({ case: "status", value: { runtimes: [{ name: "plc1" }] } });
  await until("the status is here", () => hub.fleet.get("n-a").status !== undefined);
  assert.equal(hub.fleet.get("n-a").status?.runtimes[0]?.name, "plc1");
  assert.equal(hub.fleet.isConnected("n-a"), true);
  assert.equal(older.count("reportsAck"), 0);

  using stale = hub.dial(identity);
  stale.hello({ sessionEpoch: 1n });
  const reject = await stale.next("reject");
  assert.deepEqual([reject.code, reject.retryable], [RejectCode.STALE_EPOCH, true]);
});

test("two machines with one identity: the second is refused, an operator is told, and the first goes on", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  using first = await hub.connect(identity, { sessionEpoch: 5n, instanceId: "one" });
  using second = hub.dial(identity);
  second.hello({ sessionEpoch: 5n, instanceId: "two", hostName: "the-copy" });
  assert.equal((await second.next("reject")).code, RejectCode.CLONED);
  assert.match(hub.fleet.get("n-a").warning, / is served, the-copy at 127\.0\.0\.1 \(.*\) was refused/);
  await hub.commands.submit("n-a", startPlc("c1"), { actor: "operator/t", expiresInMs: 0 });
  assert.equal((await first.next("command")).command?.id, "c1");
});

test("a stream that comes before its turn waits where it is, and is told when the hub goes meanwhile", async () => {
  await using hub = await startHub({ acceptPerSecond: 2, random: () => 0 });
  using _first = await hub.connect(await hub.enrol("n-a"));
  using second = hub.dial(await hub.enrol("n-b"));
  second.hello();
  await second.next("welcome");
  await using slow = await startHub({ acceptPerSecond: 0.15, random: () => 0 });
  const [first, other] = [await slow.enrol("n-a"), await slow.enrol("n-b")];
  using one = await slow.connect(first);
  using two = slow.dial(other);
  two.hello();
  await sleep(200); // It waits for more than six seconds. Were it not heard yet, it would be told the same.
  const draining = slow.line.drain("the hub stops");
  assert.equal((await two.next("reject")).code, RejectCode.BUSY);
  await one.close();
  await draining;
});

test("more streams than the hub lets in are told when to come back", async () => {
  await using hub = await startHub({ acceptPerSecond: 0.01, random: () => 0 });
  using first = await hub.connect(await hub.enrol("n-a"));
  using second = hub.dial(await hub.enrol("n-b"));
  second.hello();
  const reject = await second.next("reject");
  assert.deepEqual([reject.code, reject.retryable], [RejectCode.BUSY, true]);
  assert.ok(reject.retryAfterMs > 0);
  assert.equal(first.count("reject"), 0);
  assert.equal(hub.fleet.get("n-b").hostName, "n-b", "its epoch was not used up");
});
