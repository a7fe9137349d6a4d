import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentRightsSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { TopicFilterSchema } from "../../../gen/edge/v1/topics_pb.ts";
import { Failure } from "../../../src/base/failure.ts";
import { CellLimits, limits } from "../../../src/daemon/broker/limits.ts";
import { subscribable } from "../../../src/daemon/broker/rights.ts";

const exhausted = (thrown: unknown) => thrown instanceof Failure && thrown.kind === "exhausted";

test("a cell may ask so often in the long run, and a payload counts for more", () => {
  let nowMs = 0;
  const cell = new CellLimits({ elapsed: () => nowMs });
  const ask = (bytes = 0) => cell.enter("calls", bytes)();
  for (let count = 0; count < limits.burst; count++) ask();
  assert.throws(() => ask(), exhausted);
  nowMs += 10;
  for (let count = 0; count < limits.perSecond / 100; count++) ask();
  assert.throws(() => ask(), exhausted);
  nowMs += 1e9;
  for (let count = 0; count < Math.floor(limits.burst / 16); count++) ask(15 * (16 << 10));
  assert.throws(() => ask(16 * (16 << 10)), exhausted);
});

test("a cell has only so much under way, and what ends makes room once", () => {
  const cell = new CellLimits({ elapsed: () => 0 });
  const leave = Array.from({ length: limits.streams }, () => cell.enter("streams", 0));
  assert.throws(() => cell.enter("streams", 0), exhausted);
  cell.enter("calls", 0);
  leave[0]?.();
  leave[0]?.();
  cell.enter("streams", 0);
  assert.throws(() => cell.enter("streams", 0), exhausted);
});

test("a subscription without topics is all that the agent may hear, and its own tree", () => {
  const rights = create(AgentRightsSchema, { subscribe: ["poems.>", "tree.other"] });
  const filter = subscribable({ agent: "poet", rights }, "root", undefined);
  assert.deepEqual(filter.topics, ["poems.>", "tree.root"]);
  const asked = (...topics: string[]) =>
    subscribable({ agent: "poet", rights }, "root", create(TopicFilterSchema, { topics })).topics;
  assert.deepEqual(asked("poems.*", "tree.root"), ["poems.*", "tree.root"]);
  for (const wrong of [">", "poems", "tree.other", "tree.*", "node.task"]) {
    assert.throws(() => asked("poems.a", wrong), /may not subscribe to .*rights\.subscribe/, wrong);
  }
});
