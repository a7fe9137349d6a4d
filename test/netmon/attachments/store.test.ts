import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AttachmentSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import {
  VnicChangeKind as Kind,
  VnicPhase as Phase,
  VnicStatusSchema,
} from "../../../gen/edge/v1/vnics_pb.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Events } from "../../../src/netmon/attachments/events.ts";
import { schema } from "../../../src/netmon/attachments/index.ts";
import { Store } from "../../../src/netmon/attachments/store.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { lease, wish } from "./scene.ts";

const now = () => Date.UTC(2026, 10, 21);
const happened = (vnic: string) => ({
  ...{ owner: "node/plc", reason: "it was asked for", requestId: "request-1" },
  change: { runtime: "plc", vnic, kind: Kind.ATTACHED },
});

test("what is kept is there after a restart, and goes with its owner", () => {
  using folder = tempFolder();
  const path = join(folder.path, "netmon.db");
  const attachment = create(AttachmentSchema, {
    owner: "node/plc",
    containerId: "c".repeat(64),
    vnics: [wish()],
  });
  const nic = {
    name: "eth1",
    mac: "02:00:00:00:00:01",
    permanentMac: "02:00:00:00:00:01",
    mtu: 1500,
    isUp: true,
  };
  const recorded = { ...nic, addresses: [{ address: "10.0.0.2/24" }], routes: ["default via 10.0.0.1"] };
  const told = { status: create(VnicStatusSchema, { name: "lan0", phase: Phase.UP }), link: "7@1:2" };
  {
    using sql = Sql.open(path, [schema], now);
    const store = new Store(sql);
    store.keep(attachment);
    store.keepLease("node/plc", "lan0", { lease: lease(), lan: "10.0.0.0/24" });
    store.keepTold("node/plc", "lan0", told);
    store.keepNic("node/plc", "nic0", recorded);
    store.keepDisplaced("node/plc", { life: "1:2", gateway: "172.20.0.1", device: "eth0" });
  }
  using sql = Sql.open(path, [schema], now);
  const store = new Store(sql);
  assert.deepEqual(store.attachments(), [attachment]);
  assert.deepEqual(store.leases("node/plc").get("lan0"), { lease: lease(), lan: "10.0.0.0/24" });
  assert.deepEqual(store.told("node/plc").get("lan0"), told);
  assert.deepEqual(store.nics("node/plc").get("nic0"), recorded);
  assert.equal(store.displaced("node/plc")?.gateway, "172.20.0.1");
  store.forget("node/plc");
  const left = [
    store.attachments(),
    [...store.leases("node/plc")],
    [...store.told("node/plc")],
    [...store.nics("node/plc")],
  ];
  assert.deepEqual(left.flat(), []);
});

test("the last 10,000 events are kept, and no number comes again, not even after a lost file", () => {
  using folder = tempFolder();
  using sql = Sql.open(join(folder.path, "netmon.db"), [schema], now);
  const events = new Events(sql, now);
  const began = events.last;
  assert.ok(began >= now());
  sql.transaction(() => {
    for (let count = 1; count <= 10_250; count++) events.append(happened(`lan${count}`));
  });
  assert.equal(events.last, began + 10_250);
  const all = events.after(began, 20_000);
  assert.ok(all.length >= 10_000 && all.length < 10_100, `${all.length} are kept`);
  assert.deepEqual([all.at(-1)?.change?.vnic, Number(all.at(-1)?.sequence)], ["lan10250", events.last]);
  assert.equal(events.after(events.last - 5, 3).length, 3);
  sql.run("DELETE FROM events");
  assert.equal(new Events(sql, now).last, began + 10_250);
});
