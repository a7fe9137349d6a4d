import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { VnicChangeKind, VnicChangeKindSchema, VnicSchema } from "../../../gen/edge/v1/vnics_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { Network, schema } from "../../../src/daemon/network/index.ts";
import { fakeNetmon, type Kept } from "../../fakes/netmon.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";

const { LEASE_RENEWED, LEASE_LOST, ATTACHED } = VnicChangeKind;
const nameOf = (kind: VnicChangeKind) => VnicChangeKindSchema.value[kind]?.localName ?? "";
const container = "c".repeat(64);
const wanted = {
  ...{ runtime: "plc1", containerId: container, commandId: "c1" },
  vnics: [create(VnicSchema, { name: "lan0", parent: "eth0" })],
  devices: [],
};

/** A life of the daemon's end of netmon's socket, on the state in a folder. */
function live(folder: string) {
  const sql = Sql.open(join(folder, "daemon.db"), [journalSchema, schema], () => Date.now());
  const journal = Journal.open(sql, { now: () => Date.now() });
  const log = openLog({ program: "test", level: "silent", format: "json" });
  const socket = join(folder, "netmon.sock");
  const network = Network.open({
    ...{ sql, journal, log, socket, clock: systemClock, instanceId: "ours", random: () => 0.1 },
  });
  const end = new AbortController();
  const running = network.run(end.signal);
  return {
    ...{ network, socket },
    signal: AbortSignal.timeout(30_000),
    reached: () => until("netmon answers", () => network.netmon.at === "there" && network.netmon.attached),
    lost: () => until("netmon is away", () => network.netmon.at === "away" && network.netmon.problem),
    /** What the journal says of vNICs, in short. */
    facts: () =>
      journal.read(0, 1000).flatMap(({ entry }) => {
        if (entry.case !== "event" || entry.value.fact.case !== "vnic") return [];
        const { runtime, vnic, kind } = entry.value.fact.value;
        return `${runtime} ${vnic} ${nameOf(kind)} ${entry.value.commandId}`.trim();
      }),
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
      sql[Symbol.dispose]();
    },
  };
}

test("what netmon keeps and sees is known while it answers, and where to look when it does not", async () => {
  using folder = tempFolder();
  await using life = live(folder.path);
  const { network, socket, signal } = life;
  assert.match(
    (await life.lost()).message,
    /^netmon at .*netmon\.sock is not there: start it \(orchestrator netmon start\)/,
  );
  await assert.rejects(network.attach(wanted, signal), { kind: "unavailable", message: /is not there/ });
  {
    await using netmon = await fakeNetmon(socket);
    assert.equal((await life.reached()).size, 0);
    const [status] = (await network.attach(wanted, signal)).vnics;
    assert.equal(status?.mac, network.macOf("plc1", { name: "lan0", mac: "", mode: 0 }));
    assert.equal((await life.reached()).get("plc1")?.containerId, container);
    assert.equal(netmon.kept.attachments.get("ours/plc1")?.vnics[0]?.mac, status?.mac);
    await until("the picture", () => network.picture?.interfaces[0]?.routes.length === 1);

    netmon.kept.attachments.set("theirs/plc1", netmon.attached[0] ?? assert.fail());
    netmon.taken.set("10.0.0.5", "02:00:00:00:00:99");
    const vnics = [create(VnicSchema, { name: "lan0", parent: "eth0", address: "10.0.0.5/24" })];
    await assert.rejects(network.attach({ ...wanted, runtime: "plc2", vnics }, signal), {
      ...{ kind: "conflict", message: "02:00:00:00:00:99 has 10.0.0.5 already" },
    });
    assert.deepEqual([...(await life.reached()).keys()], ["plc1"], "another daemon's are not ours");
    await network.detach("plc1", "c2", signal);
    await network.detach("plc1", "c2", signal);
    assert.deepEqual([...netmon.kept.attachments.keys()], ["theirs/plc1"]);
  }
  await life.lost();
  assert.equal(network.picture, undefined);
});

test("what happens to vNICs is in the journal once, whichever side is away or killed in between", async () => {
  using folder = tempFolder();
  const kept: Kept = { attachments: new Map(), events: [] };
  const socket = join(folder.path, "netmon.sock");
  const renewed = { runtime: "plc1", vnic: "lan0", kind: LEASE_RENEWED };
  {
    await using netmon = await fakeNetmon(socket, kept);
    netmon.tell("ours/plc1", renewed);
    await using life = live(folder.path);
    await life.reached();
    await life.network.attach(wanted, life.signal);
    netmon.tell("theirs/plc1", renewed);
    netmon.tell("ours/plc1", renewed);
    await until("three facts", () => life.facts().length === 3);
    assert.deepEqual(
      life.facts(),
      ["plc1 lan0 LEASE_RENEWED", "plc1 lan0 ATTACHED c1", "plc1 lan0 LEASE_RENEWED"],
      "what netmon kept from before is told, too",
    );
  }
  {
    await using netmon = await fakeNetmon(socket, kept);
    netmon.tell("ours/plc1", { ...renewed, kind: LEASE_LOST }); // While the daemon is away.
  }
  await using life = live(folder.path);
  {
    await using _ = await fakeNetmon(socket, kept);
    await until("the fourth fact", () => life.facts().length === 4);
  }
  await life.lost();
  {
    await using netmon = await fakeNetmon(socket, kept);
    await life.reached();
    netmon.tell("ours/plc1", renewed);
    await until("the fifth fact", () => life.facts().length === 5);
  }
  await life.lost();
  // It lost its disk: its numbers begin anew.
  await using netmon = await fakeNetmon(socket);
  await life.reached();
  await life.network.attach(wanted, life.signal);
  netmon.tell("ours/plc1", renewed);
  await until("two more facts", () => life.facts().length >= 7);
  assert.deepEqual(
    life.facts().map((fact) => fact.split(" ")[2]),
    [LEASE_RENEWED, ATTACHED, LEASE_RENEWED, LEASE_LOST, LEASE_RENEWED, ATTACHED, LEASE_RENEWED].map((kind) =>
      nameOf(kind),
    ),
  );
});
