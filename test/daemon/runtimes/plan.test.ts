import assert from "node:assert/strict";
import { test } from "node:test";
import { nothing } from "../../../src/daemon/engine/observed.ts";
import { plan, planSweep } from "../../../src/daemon/runtimes/plan.ts";
import type { Wish } from "../../../src/daemon/wishes/wish.ts";
import { all, container, ground, name, steps, wish } from "./planned.ts";

const made = ["ensureImage", "createNetwork", "createVolume", "createContainer", `startContainer ${name}`];

test("a create makes what is missing, whatever a crash has left of it, and verifies", () => {
  const creating: Partial<Wish> = { stage: "creating" };
  assert.deepEqual(steps(creating, nothing), [...made, `verify ${name}`]);
  assert.deepEqual(steps(creating, { ...all(), volumes: [] }), [
    ...["ensureImage", "createVolume", "createContainer", `startContainer ${name}`, `verify ${name}`],
  ]);
  const created = container({ state: "created", startedAt: "" });
  assert.deepEqual(steps(creating, all(created)), ["startContainer one", "verify one"]);
  assert.deepEqual(steps(creating, all(container())), ["verify one"]);
});

test("a running container is never touched: only what is wrong around it is mended", () => {
  assert.deepEqual(steps({}, all(container())), []);
  assert.deepEqual(steps({}, all(container({ state: "paused" }))), []);
  assert.deepEqual(steps({ endedByItself: true }, all(container())), []);
  const refused = { ...ground, refused: new Set(["memlock"] as const) };
  assert.deepEqual(steps({}, all(container({ rlimits: ["memlock"] })), refused), []);
  const two = all(container({ id: "two", state: "exited" }), container());
  assert.deepEqual(steps({}, two), ["removeContainer two"]);
  const renewed = { ...all(container()), networks: [{ id: "new", name, isInternal: true }] };
  assert.deepEqual(steps({}, renewed), ["attachNetwork one"]);
});

test("of two networks that the engine made of one name, the one in use stays", () => {
  const second = { id: "another", name, isInternal: true };
  const twice = { ...all(container()), networks: [second, { id: "net", name, isInternal: true }] };
  const [first, ...rest] = plan(wish(), twice, ground);
  assert.deepEqual([first?.do === "removeNetwork" && first.network, rest], ["another", []]);
  const unused = { ...all(), networks: [second, { id: "net", name, isInternal: true }] };
  assert.deepEqual(steps({ stage: "creating" }, unused), [
    ...["ensureImage", "removeNetwork", "removeVolume", "createVolume", "createContainer"],
    ...[`startContainer ${name}`, `verify ${name}`],
  ]);
});

test("what is not as wished is made again, started or replaced, with the reason", () => {
  assert.deepEqual(steps({}, nothing), made);
  assert.deepEqual(steps({ endedByItself: true }, all(container({ state: "exited" }))), [
    "startContainer one",
  ]);
  assert.deepEqual(steps({}, all(container({ specHash: "older" }))), [
    ...[
      "stopContainer one",
      "removeContainer one",
      "ensureImage",
      "createContainer",
      `startContainer ${name}`,
    ],
  ]);
  const refused = { ...ground, refused: new Set(["memlock"] as const) };
  const [first] = plan(wish(), all(container({ state: "created", rlimits: ["memlock"] })), refused);
  assert.equal(first?.reason, "it asks for memlock, which the engine may not raise on this machine");
});

test("a stop stays a stop, and a restart is done once", () => {
  const stopped: Partial<Wish> = { desired: "stopped" };
  assert.deepEqual(steps(stopped, all(container())), ["stopContainer one"]);
  assert.deepEqual(steps(stopped, all(container({ state: "exited" }))), []);
  assert.deepEqual(steps(stopped, nothing), [], "nor is it made again when it vanished");
  const restart: Partial<Wish> = { restartOf: "s1" };
  assert.deepEqual(steps(restart, all(container())), [
    "stopContainer one",
    "startContainer one",
    "verify one",
  ]);
  assert.deepEqual(steps(restart, all(container({ state: "exited" }))), ["startContainer one", "verify one"]);
  assert.deepEqual(steps(restart, all(container({ startedAt: "s2" }))), []);
});

test("a delete removes all there is; an undo leaves the volume that an earlier runtime had made", () => {
  const observed = all(container());
  assert.deepEqual(steps({ desired: "absent" }, observed), [
    ...["stopContainer one", "removeContainer one", "removeNetwork", "removeVolume", "forget"],
  ]);
  assert.deepEqual(steps({ desired: "absent", keepVolume: true }, observed), [
    ...["stopContainer one", "removeContainer one", "removeNetwork", "forget"],
  ]);
  const undoing: Partial<Wish> = { desired: "absent", stage: "undoing" };
  assert.deepEqual(steps({ ...undoing, commandId: "c2" }, observed), [
    ...["removeContainer one", "removeNetwork", "forget"],
  ]);
  assert.deepEqual(steps(undoing, nothing), ["forget"]);
});

test("a wish from before images were kept takes up that of its container, whether it runs or not", () => {
  const before: Partial<Wish> = { imageId: "" };
  assert.deepEqual(steps(before, all(container())), ["keepImage"]);
  assert.deepEqual(steps({ ...before, desired: "stopped" }, all(container({ state: "exited" }))), [
    "keepImage",
  ]);
  assert.deepEqual(steps(before, nothing), ["ensureImage"], "nothing else is known of it");
});

test("what the engine finished late of a runtime that is gone is swept; a volume that was kept is not", () => {
  const ended = { name: "plc1", commandId: "c2", removed: [], failure: undefined };
  const swept = (keepVolume: boolean) =>
    planSweep({ ...ended, keepVolume }, all(container())).map((step) => step.do);
  assert.deepEqual(swept(false), ["removeContainer", "removeNetwork", "removeVolume"]);
  assert.deepEqual(swept(true), ["removeContainer", "removeNetwork"]);
});
