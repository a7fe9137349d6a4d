import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { SampleSchema } from "../../../gen/edge/v1/node_pb.ts";
import { InProcessBus } from "../../../src/hub/bus/index.ts";
import { type Postgres, startPostgres } from "../../fixtures/postgres.ts";
import { until } from "../../journeys/until.ts";
import { openReplica } from "./rooms.ts";

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres();
});
after(() => postgres[Symbol.asyncDispose]());

const restart = (id: string) =>
  create(CommandSchema, { id, request: { case: "startRuntime", value: { name: "plc" } } });
const asked = { actor: "test", expiresInMs: 60_000 };

for (const how of ["hints are heard", "every hint is lost"] as const) {
  const isDeaf = () => how === "every hint is lost";

  describe(`two replicas, and ${how}`, () => {
    test("of two streams the newest is served, and the older one ends where it is", async () => {
      const [url, mesh] = [await postgres.newDatabase(), new InProcessBus()];
      await using a = await openReplica({ url, mesh, isDeaf });
      await using b = await openReplica({ url, mesh, isDeaf });
      await a.enrol("n-1");
      await until("the other knows it", () => b.fleet.has("n-1"));
      assert.equal(await a.connect("n-1", 1), undefined);
      await until("the other sees it", () => b.fleet.isConnected("n-1"));
      assert.equal(b.fleet.ownerElsewhere("n-1"), a.replicas.id);
      // A replica that meets others anew must not lose sight of itself.
      const gone: string[] = [];
      a.replicas.onGone((id) => gone.push(id));
      await a.replicas.meet();
      await a.replicas.look();
      assert.deepEqual([gone, a.fleet.isConnected("n-1")], [[], true]);

      assert.equal(await b.connect("n-1", 2), undefined);
      await until("the older one is ended", () => a.ousted.ousted.includes("n-1"));
      assert.equal(a.fleet.ownerElsewhere("n-1"), b.replicas.id);
      assert.equal(await a.connect("n-1", 1), "stale");
      // What the older stream still wants to write changes nothing.
      a.fleet.presence.left("n-1");
      await a.fleet.presence.flush();
      assert.equal(b.fleet.isConnected("n-1"), true);
      await assert.rejects(a.commands.deliveries.resumed("n-1", 0, 1), { kind: "conflict" });

      // Many that race: one is left, and all agree which.
      const hellos = Array.from({ length: 10 }, (_, at) => (at % 2 ? a : b).connect("n-1", 10 + at));
      await Promise.all(hellos);
      const owners = () => [a, b].map((one) => one.fleet.ownerElsewhere("n-1") ?? one.replicas.id);
      await until("they agree", () => new Set(owners()).size === 1);
      assert.equal(owners()[0], a.replicas.id, "the highest epoch came there");
    });

    test("a command given to one reaches the node at the other, once, and its result comes back", async () => {
      const [url, mesh] = [await postgres.newDatabase(), new InProcessBus()];
      await using a = await openReplica({ url, mesh, isDeaf });
      await using b = await openReplica({ url, mesh, isDeaf });
      await a.enrol("n-1");
      await until("the other knows it", () => b.fleet.has("n-1"));
      const done: string[] = [];
      await b.connect("n-1", 1, done);
      await until("it is seen", () => a.fleet.isConnected("n-1"));
      const ids = Array.from({ length: 20 }, (_, at) => `c-${at}`);
      const events = a.reports.watch({ stopWhenCaughtUp: false, last: 1 }, AbortSignal.timeout(60_000));
      await Promise.all(ids.map((id, at) => (at % 2 ? a : b).commands.submit("n-1", restart(id), asked)));
      const over = AbortSignal.timeout(60_000);
      const results = await Promise.all(ids.map((id) => a.commands.result(id, over)));
      assert.deepEqual(new Set(results.map(({ outcome }) => outcome.case)), new Set(["startRuntime"]));
      assert.deepEqual([...done].sort(), [...ids].sort());
      await until("nothing is said to wait", () =>
        [a, b].every((one) => one.fleet.get("n-1").pendingCommands === 0),
      );
      await events.return(undefined);
    });

    test("labels, removal and enrolment at one are those of the other, and a removed node's line is cut there", async () => {
      const [url, mesh] = [await postgres.newDatabase(), new InProcessBus()];
      await using a = await openReplica({ url, mesh, isDeaf });
      await using b = await openReplica({ url, mesh, isDeaf });
      await a.enrol("n-1");
      await until("the other knows it", () => b.fleet.has("n-1"));
      await b.connect("n-1", 1);
      await a.fleet.label("n-1", { set: [{ key: "site", value: "graz" }], remove: [] });
      await until("the label is there", () => b.fleet.get("n-1").labels.length === 1);
      assert.equal(b.fleet.isConnected("n-1"), true);
      await a.fleet.revoke("n-1");
      await until("its line is cut, for it is revoked", () => b.ousted.cut.length === 1);
      assert.equal(await b.connect("n-1", 2), "revoked");
      await a.fleet.remove("n-1");
      await until("its line is cut, for it is removed", () => b.ousted.cut.length === 2);
      assert.equal(b.fleet.has("n-1"), false);
      await assert.rejects(b.commands.submit("n-1", restart("c-late"), asked), { kind: "not_found" });
      assert.equal(await b.connect("n-1", 2), "removed");
      await b.enrol("n-1");
      await until("it is back", () => a.fleet.has("n-1"));
      assert.equal(await a.connect("n-1", 1), undefined);
    });
  });
}

test("a replica that dies: its nodes are not connected, what it had is done once elsewhere, and its row goes", async () => {
  const [url, mesh] = [await postgres.newDatabase(), new InProcessBus()];
  await using a = await openReplica({ url, mesh });
  const b = await openReplica({ url, mesh });
  await a.enrol("n-1");
  await until("the other knows it", () => b.fleet.has("n-1"));
  const done: string[] = [];
  await b.connect("n-1", 1, done);
  await until("it is seen", () => a.fleet.isConnected("n-1"));
  await b.die();
  await a.commands.submit("n-1", restart("c-1"), asked);
  await until("it is noticed", () => !a.fleet.isConnected("n-1"));
  await until("its row is gone", async () => {
    const rows = await a.store.read("SELECT id FROM replicas");
    return rows.length === 1 && rows[0]?.id === a.replicas.id;
  });
  await until("its nodes are nobody's", async () => {
    return (await a.store.read("SELECT id FROM nodes WHERE owner <> ''")).length === 0;
  });
  await a.connect("n-1", 2, done);
  await a.commands.result("c-1", AbortSignal.timeout(60_000));
  assert.deepEqual(done, ["c-1"]);
});

test("what a node says with its beats is seen at every replica", async () => {
  const [url, mesh] = [await postgres.newDatabase(), new InProcessBus()];
  await using a = await openReplica({ url, mesh });
  await using b = await openReplica({ url, mesh });
  await a.enrol("n-1");
  await until("the other knows it", () => b.fleet.has("n-1"));
  await b.connect("n-1", 1);
  await until("it is seen", () => a.fleet.isConnected("n-1"));
  b.fleet.presence.heard("n-1", create(SampleSchema, { cpuPercent: 12.5 }));
  await until("its sample is seen", () => a.fleet.get("n-1").sample?.cpuPercent === 12.5);
  const [row] = await a.store.read("SELECT revision FROM nodes WHERE id = 'n-1'");
  b.fleet.presence.heard("n-1", create(SampleSchema, { cpuPercent: 50 }));
  await until("the next is seen", () => a.fleet.get("n-1").sample?.cpuPercent === 50);
  assert.deepEqual(
    await a.store.read("SELECT revision FROM nodes WHERE id = 'n-1'"),
    [row],
    "beats write nothing",
  );
});

test("a replica that stood still and was taken for dead has its nodes back when it goes on", async () => {
  const [url, mesh] = [await postgres.newDatabase(), new InProcessBus()];
  await using a = await openReplica({ url, mesh });
  // It looks once an hour: for the others it stands still.
  await using b = await openReplica({ url, mesh, lookEveryMs: 3_600_000 });
  await a.enrol("n-1");
  await until("the other knows it", () => b.fleet.has("n-1"));
  await b.connect("n-1", 1);
  await until("it is seen", () => a.fleet.isConnected("n-1"));
  await until("it is taken for dead", () => !a.fleet.isConnected("n-1"));
  await b.replicas.look();
  await until("its node is its own again", () => a.fleet.isConnected("n-1"));
  assert.equal(a.fleet.ownerElsewhere("n-1"), b.replicas.id);
  assert.deepEqual(b.ousted.ousted, []);
});
