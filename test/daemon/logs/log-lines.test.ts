import assert from "node:assert/strict";
import { test } from "node:test";
import { LogStream } from "../../../gen/edge/v1/runtimes_pb.ts";
import { entriesOf, isBefore, lineOf, momentOf } from "../../../src/daemon/logs/log-lines.ts";
import { Tail } from "../../../src/daemon/logs/log-tail.ts";

const { STDOUT, STDERR } = LogStream;

/** An entry as the engine sends it. */
function entry(stream: number, text: string | Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from("2026-11-21T10:00:00.123456789Z "), Buffer.from(text)]);
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
}

async function linesOf(...pieces: Buffer[]) {
  const lines = [];
  for await (const one of entriesOf(piecewise(pieces))) lines.push(lineOf(one));
  return lines.map(({ stream, text, cut }) => [stream, text, cut]);
}

async function* piecewise(pieces: readonly Buffer[]) {
  yield* pieces;
}

test("a log has the same lines, whatever pieces it comes in", async () => {
  const parts = [
    entry(1, "a b\n"),
    entry(2, ""),
    entry(1, "\n"),
    entry(1, Buffer.of(0xff, 0x62, 0x0a)),
    entry(2, "x"),
  ];
  const whole = Buffer.concat(parts);
  const expected = [
    [STDOUT, "a b", false],
    [STDERR, "", true],
    [STDOUT, "", false],
    [STDOUT, "\ufffdb", false],
    [STDERR, "x", true],
  ];
  for (let size = 1; size <= whole.length; size++) {
    const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) =>
      whole.subarray(at * size, (at + 1) * size),
    );
    assert.deepEqual(await linesOf(...pieces), expected, `pieces of ${size} bytes`);
  }
  assert.deepEqual(await linesOf(whole.subarray(0, -1)), expected.slice(0, -1), "a torn end is no line");
});

test("what is not a log of this form is refused before it fills the memory", async () => {
  const kind = "unsupported";
  await assert.rejects(linesOf(Buffer.from("plain text of a terminal\n")), { kind });
  const huge = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  await assert.rejects(linesOf(huge), { kind });
  await assert.rejects(linesOf(Buffer.from([1, 0, 0, 0, 0, 0, 0, 3, 0x61, 0x20, 0x62])), { kind });
});

test("moments are kept to the nanosecond", () => {
  const one = momentOf("2026-11-21T10:00:00.123456789Z");
  assert.deepEqual([one.seconds, one.nanos], [BigInt(Date.UTC(2026, 10, 21, 10) / 1000), 123_456_789]);
  assert.deepEqual(momentOf("2026-11-21T12:00:00.123456789+02:00"), one);
  assert.equal(momentOf("2026-11-21T10:00:00Z").nanos, 0);
  assert.equal(isBefore(momentOf("2026-11-21T10:00:00.123456788Z"), one), true);
  assert.equal(isBefore(one, one), false);
});

test("of any number of lines the newest are kept, within lines and bytes", () => {
  const line = (text: string) => ({ stream: STDOUT, bytes: entry(1, `${text}\n`).subarray(8) });
  const textsOf = (limit: { lines: number; bytes: number }, texts: readonly string[]) => {
    const tail = new Tail(limit);
    for (const text of texts) tail.add(line(text));
    const { lines, leftOut } = tail.read();
    return [lines.map(({ text }) => text), leftOut];
  };
  const many = Array.from({ length: 100_000 }, (_, at) => String(at));
  assert.deepEqual(textsOf({ lines: 3, bytes: 1000 }, many), [many.slice(-3), true]);
  assert.deepEqual(textsOf({ lines: 4, bytes: 1000 }, many.slice(0, 4)), [["0", "1", "2", "3"], false]);
  const few = many.slice(-500);
  for (let bytes = 450; bytes < 500; bytes++) {
    // Every place in a line is once where the ring ends.
    assert.deepEqual(textsOf({ lines: 1000, bytes }, few), [few.slice(-10 - Number(bytes >= 495)), true]);
  }
  const letters = ["é".repeat(40), "a", "é".repeat(60)];
  assert.deepEqual(textsOf({ lines: 9, bytes: 200 }, letters), [letters.slice(2), true], "two bytes each");
  assert.deepEqual(textsOf({ lines: 1, bytes: 41 }, ["a"]), [["a"], false]);
  assert.deepEqual(textsOf({ lines: 9, bytes: 100 }, ["a", "b".repeat(100)]), [[], true]);
});
