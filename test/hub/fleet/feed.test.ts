import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../../../src/base/failure.ts";
import { Feed } from "../../../src/hub/fleet/feed.ts";

const never = new AbortController().signal;

test("a slow watcher finds each node once, in the order of the first change", async () => {
  const feed = new Feed();
  using watch = feed.watch();
  for (const id of ["b", "a", "b", "a", "a"]) feed.touch(id);
  assert.deepEqual([...(await watch.take(never))], ["b", "a"]);
});

test("a watcher waits for a change, and what changes while it works is in its next take", async () => {
  const feed = new Feed();
  using watch = feed.watch();
  const first = watch.take(never);
  feed.touch("a");
  assert.deepEqual([...(await first)], ["a"]);
  feed.touch("c");
  assert.deepEqual([...(await watch.take(never))], ["c"]);
});

test("a wait ends with its signal, and a watcher that is gone is told nothing", async () => {
  const feed = new Feed();
  const watch = feed.watch();
  const stop = new AbortController();
  const waiting = watch.take(stop.signal);
  stop.abort(failure("cancelled", "enough"));
  await assert.rejects(waiting, /enough/);
  watch[Symbol.dispose]();
  feed.touch("a");
  await assert.rejects(watch.take(AbortSignal.abort(failure("cancelled", "nothing here"))), /nothing here/);
});
