import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameCount } from "../../src/wire/frames.ts";

/** Which of these frames are taken. */
function taken(...numbers: number[]): number[] {
  const heard = new FrameCount();
  return numbers.filter((number) => heard.missing({ number }) === undefined);
}

test("frames are numbered from 1, and only the next one is taken", () => {
  const said = new FrameCount();
  const numbers = [1, 2, 3].map(() => said.say({ number: 0 }).number);
  assert.deepEqual(numbers, [1, 2, 3]);
  assert.deepEqual(taken(1, 2, 3), [1, 2, 3]);
  assert.deepEqual(taken(1, 3, 3, 4), [1], "after a loss, nothing is taken, however often it comes");
  assert.deepEqual(taken(1, 2, 2), [1, 2], "one that was doubled");
  assert.deepEqual(taken(1, 3, 2), [1, 2], "one that was overtaken");
  assert.deepEqual(taken(2), [], "the first was lost");
});

test("frames of a side that does not count are taken as they come", () => {
  assert.deepEqual(taken(0, 0, 0), [0, 0, 0]);
});

test("what is told of a frame that is not the next one", () => {
  assert.match(String(new FrameCount().missing({ number: 7 })), /frame 7 came where frame 1 was due/);
});
