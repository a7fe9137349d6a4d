import assert from "node:assert/strict";
import { test } from "node:test";
import { fence, isReplaced } from "../../../src/hub/fleet/fence.ts";

const seen = { epoch: 7, instanceId: "one", formerInstanceId: "before", isHeld: true };

test("the highest epoch is served, and a lower one is stale", () => {
  assert.equal(fence(seen, { epoch: 8, instanceId: "one" }), "newest");
  assert.equal(fence(seen, { epoch: 8, instanceId: "two" }), "newest");
  assert.equal(fence(seen, { epoch: 6, instanceId: "one" }), "stale");
});

test("the same epoch is a second try of the same daemon, or another machine with the same identity", () => {
  assert.equal(fence(seen, { epoch: 7, instanceId: "one" }), "newest");
  assert.equal(fence(seen, { epoch: 7, instanceId: "two" }), "cloned");
});

test("a daemon that comes back while another one is here is another machine, and the node itself when that has left", () => {
  assert.equal(fence(seen, { epoch: 8, instanceId: "before" }), "cloned");
  assert.equal(fence({ ...seen, isHeld: false }, { epoch: 8, instanceId: "before" }), "newest");
  assert.equal(fence(seen, { epoch: 6, instanceId: "before" }), "stale", "its late word is not its return");
});

test("a node that never connected is served with whatever it says first", () => {
  const nobody = { epoch: 0, instanceId: "", formerInstanceId: "", isHeld: false };
  assert.equal(fence(nobody, { epoch: 1, instanceId: "one" }), "newest");
});

test("a certificate is replaced by a later one, unless that is of the future", () => {
  assert.deepEqual(
    [isReplaced(50, 49, 60), isReplaced(50, 50, 60), isReplaced(50, 51, 60), isReplaced(50, 49, 40)],
    [true, false, false, false],
  );
});
