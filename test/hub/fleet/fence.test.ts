import assert from "node:assert/strict";
import { test } from "node:test";
import { fence } from "../../../src/hub/fleet/fence.ts";

const seen = { epoch: 7, instanceId: "one" };

test("the highest epoch is served, and a lower one is stale", () => {
  assert.equal(fence(seen, { epoch: 8, instanceId: "one" }), "newest");
  assert.equal(fence(seen, { epoch: 8, instanceId: "two" }), "newest");
  assert.equal(fence(seen, { epoch: 6, instanceId: "one" }), "stale");
});

test("the same epoch is a second try of the same daemon, or another machine with the same identity", () => {
  assert.equal(fence(seen, { epoch: 7, instanceId: "one" }), "newest");
  assert.equal(fence(seen, { epoch: 7, instanceId: "two" }), "cloned");
});

test("a node that never connected is served with whatever it says first", () => {
  assert.equal(fence({ epoch: 0, instanceId: "" }, { epoch: 1, instanceId: "one" }), "newest");
});
