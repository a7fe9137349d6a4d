import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { interrupted, startFailed, verdictOf } from "../../../src/daemon/tasks/verdict.ts";

const task = { attempts: 1, wallTimeMs: 500, reason: "enough" };
const plain = create(AgentSpecSchema);
const retrying = create(AgentSpecSchema, { retries: { most: 10, firstMs: 100, mostMs: 300 } });

test("an end means what the contract says", () => {
  const ended = (exitCode: number | undefined, outOfMemory = false) =>
    verdictOf(task, { exitCode, outOfMemory }, plain);
  assert.equal(ended(0).state, "succeeded");
  assert.match(ended(1).reason, /exit code 1$/);
  assert.match(ended(137, true).reason, /want of memory: raise resources.memory_bytes/);
  assert.match(ended(undefined).reason, /somebody else removed it/);
  const late = verdictOf({ ...task, ending: "late" }, { exitCode: 0, outOfMemory: false }, plain);
  assert.deepEqual([late.state, late.reason], ["timed_out", "it took longer than 500 ms"]);
  const cancelled = verdictOf(
    { ...task, ending: "cancelled" },
    { exitCode: 0, outOfMemory: false },
    retrying,
  );
  assert.deepEqual([cancelled.state, cancelled.reason], ["cancelled", "enough"]);
});

test("pauses grow up to the longest, and attempts come to an end", () => {
  const pauses = [1, 2, 3, 10].map((attempts) => startFailed({ ...task, attempts }, "no", retrying).pauseMs);
  assert.deepEqual(pauses, [100, 200, 300, 300]);
  const last = startFailed({ ...task, attempts: 11 }, "no", retrying);
  assert.deepEqual(
    [last.state, last.reason],
    ["failed", "it could not be started: no, at the last of 11 attempts"],
  );
});

test("what the node interrupted runs again only when its manifest allows it", () => {
  const again = create(AgentSpecSchema, { retries: { afterInterruption: true } });
  assert.equal(interrupted(task, "the power went", again).state, "queued");
  const failed = interrupted(task, "the power went", retrying);
  assert.equal(failed.state, "failed", "retries are for programs that fail");
  assert.match(failed.reason, /may have run: it is not run again/);
  assert.equal(interrupted({ ...task, ending: "cancelled" }, "the power went", again).state, "cancelled");
});
