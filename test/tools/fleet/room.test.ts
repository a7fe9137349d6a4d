import assert from "node:assert/strict";
import { test } from "node:test";
import { refusal } from "../../../tools/fleet/room.ts";

const large = { availableKb: 32_000_000, files: 1_000_000 };

test("a fleet that fits is not refused", () => {
  assert.equal(refusal({ nodes: 10_000, withHub: true }, large), undefined);
});

test("one that does not is told how many would fit", () => {
  assert.equal(
    refusal({ nodes: 10_000, withHub: true }, { ...large, availableKb: 2_000_000 }),
    "10000 nodes take about 4200 MB, and 2000 MB are free: ask for at most 4210",
  );
  assert.equal(
    refusal({ nodes: 10_000, withHub: true }, { ...large, files: 4096 }),
    "a process needs 11000 open files, and may have 4096: raise the limit (ulimit -n 11000), or ask for at most 3096 nodes",
  );
});

test("a hub elsewhere needs nothing of this machine", () => {
  const small = { availableKb: 2_300_000, files: 6_000 };
  assert.equal(refusal({ nodes: 10_000, withHub: false }, small), undefined);
});
