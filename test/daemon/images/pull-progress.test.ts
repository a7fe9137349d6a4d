import assert from "node:assert/strict";
import { test } from "node:test";
import { PullCount, type PullLine } from "../../../src/daemon/images/pull-progress.ts";

const layer = (id: string, status: string, current?: number, total?: number): PullLine => ({
  ...{ id, status },
  progressDetail: current === undefined ? {} : { current, total: total ?? 0 },
});

test("bytes, layers that were there, and the time left as soon as all sizes are known", () => {
  const count = new PullCount();
  const take = (line: PullLine, atMs: number) => count.take(line, atMs);
  assert.equal(take({ id: "4", status: "Pulling from owner/plc" }, 0), undefined);
  assert.equal(take(layer("a", "Already exists"), 0)?.detail, "1 of 1 layers were there");
  take(layer("b", "Pulling fs layer"), 0);
  take(layer("c", "Pulling fs layer"), 0);
  take(layer("b", "Downloading", 0, 4_000), 0);
  assert.deepEqual(take(layer("b", "Downloading", 3_000, 4_000), 3_000), {
    ...{ doneBytes: 3_000, totalBytes: 4_000, detail: "1 of 3 layers were there" }, // The size of c is not known.
  });
  assert.deepEqual(take(layer("c", "Downloading", 0, 200_000), 3_000), {
    ...{ doneBytes: 3_000, totalBytes: 204_000, detail: "1 of 3 layers were there, about 3 min left" },
  });
  assert.equal(take(layer("b", "Download complete"), 4_000)?.doneBytes, 4_000);
  // A burst an hour later: what was long ago does not count.
  take(layer("c", "Downloading", 100_000, 200_000), 3_600_000);
  const late = take(layer("c", "Downloading", 190_000, 200_000), 3_603_000);
  assert.equal(late?.detail, "1 of 3 layers were there, about 1 s left");
  assert.equal(take(layer("c", "Pull complete"), 3_604_000)?.detail, "1 of 3 layers were there");
});

test("a stalled pull has no time left to tell, and an engine that says strange things breaks nothing", () => {
  const count = new PullCount();
  count.take(layer("a", "Downloading", 10, 100), 0);
  assert.equal(count.take(layer("a", "Downloading", 10, 100), 9_000)?.detail, "");
  assert.equal(count.take({ status: "Digest: sha256:1" }, 9_000), undefined);
  assert.equal(count.take({}, 9_000), undefined);
  assert.deepEqual(count.take(layer("a", "Downloading", 500, -1), 9_000), {
    ...{ doneBytes: 500, totalBytes: 500, detail: "" },
  });
});
