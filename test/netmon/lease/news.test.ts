import assert from "node:assert/strict";
import { test } from "node:test";
import { type DhcpLease, leaseFrom } from "../../../src/netmon/lease/lease.ts";
import { type Happening, type Known, learn } from "../../../src/netmon/lease/news.ts";
import { readRecords, type Told } from "../../../src/netmon/lease/records.ts";

function lease(ip: string, at: number, dns = "10.77.0.3"): DhcpLease {
  const values = { ip, mask: "24", router: "10.77.0.1", dns, lease: "120", serverid: "10.77.0.1" };
  const read = leaseFrom(new Map(Object.entries(values)), at);
  assert.ok(read);
  return read;
}

/** The news of what happens, one after the other. */
function told(known: Known, ...happenings: Happening[]) {
  let now = known;
  return happenings.map((happening) => {
    const { known: next, news } = learn(now, happening);
    now = next;
    return news;
  });
}

const given = (one: DhcpLease): Happening => ({ kind: "given", lease: one });
const [first, later, other] = [
  lease("10.77.0.100", 1_000),
  lease("10.77.0.100", 61_000),
  lease("10.77.0.101", 61_000),
];

test("a first lease is bound; the same again is renewed, and keeps since when it has the address", () => {
  const [bound, renewed] = told({}, given(first), given(later));
  assert.deepEqual(bound, { kind: "bound", lease: first, reason: "10.77.0.1 gave it" });
  const kept = { ...later, boundAt: first.boundAt };
  assert.deepEqual(renewed, { kind: "renewed", lease: kept, reason: "10.77.0.1 confirmed it" });
});

test("a lease that was known before is renewed by the same one, and changed by another", () => {
  assert.equal(told({ lease: first }, given(later))[0]?.kind, "renewed");
  const [changed] = told({ lease: first, why: "the parent is in another subnet" }, given(other));
  assert.deepEqual(changed, {
    kind: "changed",
    lease: other,
    before: first,
    reason: "10.77.0.1 gave another address, asked because the parent is in another subnet",
  });
  const [dns] = told({ lease: first }, given(lease("10.77.0.100", 61_000, "10.77.0.4")));
  assert.ok(dns?.kind === "changed" && dns.lease.boundAt === first.boundAt);
  assert.equal(dns.reason, "10.77.0.1 gave other name servers");
});

test("a lease that ends is lost once, and the next one is a first one", () => {
  const ended: Happening = { kind: "ended" };
  const [lost, again, bound] = told({ lease: first }, ended, ended, given(later));
  const reason = "it ran out, and no DHCP server renewed it";
  assert.deepEqual(lost, { kind: "lost", before: first, reason });
  assert.equal(again, undefined);
  assert.ok(bound?.kind === "bound" && bound.lease.boundAt === later.boundAt);
});

test("a refused lease is changed by the answer that follows, or lost", () => {
  const [nothing, changed] = told({ lease: first }, { kind: "refused" }, given(other));
  assert.deepEqual([nothing, changed?.kind], [undefined, "changed"]);
  const [, lost] = told({ lease: first }, { kind: "refused" }, { kind: "ended" });
  assert.match(lost?.reason ?? "", /took it back/);
});

test("silence is told once, until there is an answer", () => {
  const unanswered: Happening = { kind: "unanswered" };
  const kinds = told({}, unanswered, unanswered, given(first), unanswered, unanswered).map(
    (news) => news?.kind,
  );
  assert.deepEqual(kinds, ["silent", undefined, "bound", "silent", undefined]);
  assert.match(told({ lease: first }, unanswered)[0]?.reason ?? "", /last lease ends at 1970-01-01T00:02:01/);
});

test("records are read in whatever pieces they come", () => {
  const text = "deconfig\0A=\0B=x=y\nz\0\0bound\0ip=10.77.0.100\0odd\0\0";
  for (let size = 1; size <= text.length; size++) {
    const records: Told[] = [];
    const read = readRecords((one) => records.push(one));
    for (let at = 0; at < text.length; at += size) read(text.slice(at, at + size));
    assert.deepEqual(records, [
      { event: "deconfig", values: new Map(Object.entries({ A: "", B: "x=y\nz" })) },
      { event: "bound", values: new Map(Object.entries({ ip: "10.77.0.100", odd: "" })) },
    ]);
  }
});

test("what is no record does not grow without end", () => {
  const records: Told[] = [];
  const read = readRecords((one) => records.push(one));
  for (let at = 0; at < 300; at++) read("x".repeat(1_024));
  read("\0\0bound\0\0");
  assert.equal(records.at(-1)?.event, "bound");
});
