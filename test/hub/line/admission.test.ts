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

test("a fleet that comes back at once is let in at the rate: some wait, and the rest is spread over the time that this takes", () => {
  const turnstile = new Turnstile({ perSecond: 100, random: () => 0.5 });
  const turns = Array.from({ length: 2_000 }, () => turnstile.enter(0));
  const waits = turns.flatMap((turn) => ("waitMs" in turn ? turn.waitMs : []));
  assert.equal(waits.filter((ms) => ms === 0).length, 100, "a burst of a second");
  assert.equal(waits.length, 900, "eight seconds more wait where they are");
  assert.equal(Math.max(...waits), 8_000);
  const times = turns.flatMap((turn) => ("retryAfterMs" in turn ? turn.retryAfterMs : []));
  assert.equal(Math.min(...times), 9_510);
  assert.equal(Math.max(...times), 20_500, "the last of two thousand after twenty seconds");
  assert.equal(new Set(times).size, 1_100, "no two at once");
  assert.deepEqual(turnstile.enter(20_500), { waitMs: 0 });
});
