import assert from "node:assert/strict";
import { test } from "node:test";
import { InProcessBus } from "../../../src/hub/bus/in-process.ts";
import { matches } from "../../../src/hub/bus/subjects.ts";
import { busSuite } from "./bus.suite.ts";

busSuite("in process", async () => {
  const mesh = new InProcessBus();
  return { join: async () => mesh.join(), [Symbol.asyncDispose]: async () => {} };
});

test("a listener that comes to nothing costs what it is said to, and no more", async () => {
  const mesh = new InProcessBus();
  await using a = mesh.join();
  await using b = mesh.join();
  let heard = 0;
  b.subscribe("flood", () => heard++);
  for (let n = 0; n < 10_050; n++) a.publish("flood", new Uint8Array());
  assert.deepEqual([heard, b.dropped], [0, 50]);
  await new Promise(setImmediate);
  assert.equal(heard, 10_000);
});

test("patterns", () => {
  const yes = ["a.b a.b", "* a", "a.* a.b", "> a", "> a.b", "a.> a.b.c", "*.b a.b", "*.> a.b"];
  const no = ["a a.b", "a.b a", "* a.b", "a.* a", "a.> a", "a.*.c a.b", "*.> a", "b.> a.b"];
  for (const both of yes) assert.equal(matches(...pair(both)), true, both);
  for (const both of no) assert.equal(matches(...pair(both)), false, both);
});

function pair(both: string): [string, string] {
  const [pattern = "", subject = ""] = both.split(" ");
  return [pattern, subject];
}
