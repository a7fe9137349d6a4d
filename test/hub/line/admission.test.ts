import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { HelloSchema, NodeFrameSchema, RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import { admission } from "../../../src/hub/line/admission.ts";
import { beatMsFor, isOtherPace, Turnstile } from "../../../src/hub/line/pace.ts";

const good = { protocolMin: 1, protocolMax: 1, sessionEpoch: 1n, journalId: "j", instanceId: "i" };

function judged(more: MessageInitShape<typeof HelloSchema>) {
  const verdict = admission({ case: "hello", value: create(HelloSchema, { ...good, ...more }) });
  return "reject" in verdict ? verdict.reject : verdict.protocol;
}

test("a hello is served with the newest protocol that both speak", () => {
  assert.equal(judged({}), 1);
  assert.equal(judged({ protocolMax: 7 }), 1);
});

test("a node without a protocol in common is told who must upgrade", () => {
  const newer = judged({ protocolMin: 2, protocolMax: 3 });
  assert.ok(typeof newer === "object");
  assert.deepEqual([newer.code, newer.retryable], [RejectCode.PROTOCOL, false]);
  assert.match(newer.message, /speaks protocol 2 to 3, this hub 1 to 1: upgrade the hub/);
});

test("a first frame that is no hello, and each wrong field of one, is named", () => {
  const wrong: [MessageInitShape<typeof HelloSchema>, RegExp][] = [
    [{ protocolMin: 2, protocolMax: 1 }, /no range/],
    [{ protocolMin: 0, protocolMax: 0 }, /no range/],
    [{ sessionEpoch: 0n }, /session_epoch is required/],
    [{ instanceId: "" }, /instance_id is required/],
    [{ journalId: "" }, /journal_id is required/],
    [{ journalLastSequence: 1n << 60n }, /journal_last_sequence is 1152921504606846976; at most/],
  ];
  for (const [more, sentence] of wrong) {
    const told = judged(more);
    assert.ok(typeof told === "object");
    assert.equal(told.code, RejectCode.BAD_HELLO);
    assert.match(told.message, sentence);
  }
  const beat = admission(create(NodeFrameSchema, { body: { case: "beat", value: {} } }).body);
  assert.ok("reject" in beat);
  assert.match(beat.reject.message, /the first frame is beat, not Hello/);
});

test("beats are stretched with the fleet, and small changes are not told", () => {
  assert.equal(beatMsFor(5_000, 100), 5_000);
  assert.equal(beatMsFor(5_000, 5_000), 5_000);
  assert.equal(beatMsFor(5_000, 20_000), 20_000);
  assert.equal(isOtherPace(5_000, 6_000), false);
  assert.equal(isOtherPace(5_000, 6_500), true);
  assert.equal(isOtherPace(20_000, 5_000), true);
});

test("a fleet that comes back at once is let in at the rate, and the rest is spread over the time that this takes", () => {
  const turnstile = new Turnstile({ perSecond: 100, random: () => 0.5 });
  const waits = Array.from({ length: 1_000 }, () => turnstile.enter(0));
  assert.equal(waits.filter((one) => one === 0).length, 100, "a burst of a second");
  assert.equal(Math.min(...waits.slice(100)), 1_510);
  assert.equal(Math.max(...waits), 10_500, "the last of a thousand after ten seconds");
  assert.equal(new Set(waits).size, 901, "no two at once");
  assert.equal(turnstile.enter(10_500), 0);
});
