import assert from "node:assert/strict";
import { test } from "node:test";
import { VnicChangeKind as Kind } from "../../../gen/edge/v1/vnics_pb.ts";
import type { Told } from "../../../src/netmon/attachments/store.ts";
import { changesBetween, statusOf } from "../../../src/netmon/attachments/told.ts";
import { fixed, follow, link, now, parent, planned, type Scene } from "./scene.ts";

const free = { lan0: { free: new Set(["10.0.0.50", "10.7.0.50"]) } };
const problem = { reason: "10.0.0.50 is used", otherMac: "02:aa:00:00:00:01", isWaiting: true };

/** What was told of a scene, and what happened since the one before. */
function tell(scene: Scene, before?: Told) {
  const { first: standing } = planned({ known: free, ...scene });
  const status = statusOf(standing, {
    lease: undefined,
    before: before?.status,
    now: before ? now + 5_000 : now,
  });
  const after = { status, link: standing.linkOn === 0 ? "" : `${standing.linkOn}@1:2` };
  const changes = changesBetween(before, after, { standing, reasons: new Map(), runtime: "plc" });
  return { after, kinds: changes.map(({ change }) => change.kind), changes };
}

const up = { vnics: [fixed()], links: [link(["10.0.0.50/24"])] };

test("what happened is what is different from what was told", () => {
  const stopped = tell({ ...up, links: undefined });
  assert.deepEqual(stopped.kinds, []);
  const started = tell(up, stopped.after);
  assert.deepEqual(started.kinds, [Kind.ATTACHED, Kind.DEFAULT_ROUTE]);
  assert.deepEqual(tell(up, started.after).kinds, [], "told once");

  const unplugged = tell({ ...up, parents: [parent({ carrier: false })] }, started.after);
  assert.deepEqual(unplugged.kinds, [Kind.PARENT_LOST]);
  assert.deepEqual(tell(up, unplugged.after).kinds, [Kind.PARENT_BACK]);
  const gone = tell({ ...up, parents: [], links: [] }, unplugged.after);
  assert.deepEqual(gone.kinds, [Kind.DETACHED], "its loss was told");
  const back = tell(
    { ...up, parents: [parent({ index: 9 })], links: [link(["10.0.0.50/24"], { parentIndex: 9 })] },
    gone.after,
  );
  assert.deepEqual(back.kinds, [Kind.PARENT_BACK, Kind.ATTACHED, Kind.DEFAULT_ROUTE]);
  assert.deepEqual(tell({ ...up, links: undefined }, back.after).kinds, [Kind.DETACHED]);
});

test("a conflict names the other machine, once; an address that followed its parent, the one before", () => {
  const conflict = tell(
    { vnics: [fixed()], known: { lan0: { problem } } },
    tell({ ...up, links: [link()] }).after,
  );
  assert.deepEqual(conflict.kinds, [Kind.CONFLICT]);
  assert.equal(conflict.changes[0]?.change.otherMac, "02:aa:00:00:00:01");
  assert.deepEqual(tell({ vnics: [fixed()], known: { lan0: { problem } } }, conflict.after).kinds, []);

  const here = tell({ vnics: [follow(50)], links: [link(["10.0.0.50/24"])] });
  const moved = parent({ subnets: ["10.7.0.0/24"], addresses: [], gateways: ["10.7.0.1"] });
  const there = tell({ vnics: [follow(50)], parents: [moved], links: [link(["10.7.0.50/24"])] }, here.after);
  assert.deepEqual(there.kinds, [Kind.READDRESSED]);
  const { previousAddress, address } = there.changes[0]?.change ?? {};
  assert.deepEqual([previousAddress, address], ["10.0.0.50/24", "10.7.0.50/24"]);
});

test("since when is kept while phase and addresses are the same", () => {
  const first = tell(up);
  assert.deepEqual(
    tell({ ...up, dnsServers: ["10.0.0.9"] }, first.after).after.status.since,
    first.after.status.since,
  );
  const lost = tell({ ...up, parents: [parent({ carrier: false })] }, first.after);
  assert.notDeepEqual(lost.after.status.since, first.after.status.since);
});
