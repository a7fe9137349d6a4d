import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { PlannedAction } from "../../../gen/edge/v1/wishes_pb.ts";
import { judge } from "../../../src/hub/rollouts/judge.ts";

test("a node on which an agent failed has failed, and what differed is not told to viewers", () => {
  const changes = [{ field: "spec.env", before: "secret", after: "secret" }];
  const [runtime, agent] = [
    { name: "press-1", action: PlannedAction.KEEP },
    { name: "poet", version: 3, changes },
  ];
  const failure = { kind: FailureKind.NOT_FOUND, message: "there is no such image" };
  const verdict = (agents: (typeof agent | { name: string; failure: typeof failure })[]) => {
    const value = { runtimes: [runtime], agents };
    const result = create(ResultSchema, { outcome: { case: "applyWishes", value } });
    return judge({ result, accepted: true, expired: false }) ?? assert.fail();
  };
  const good = verdict([agent]);
  assert.equal(good.state, "succeeded");
  assert.deepEqual(
    good.outcome.agents.map(({ name, version, changes }) => [name, version, changes]),
    [["poet", 3, []]],
  );
  const bad = verdict([agent, { name: "echo", failure }]);
  assert.deepEqual([bad.state, bad.outcome.failure?.message], ["failed", "there is no such image"]);
});

test("what is to be undone is what the node says it had, unless it did nothing", () => {
  const undo = (outcome: NonNullable<MessageInitShape<typeof ResultSchema>["outcome"]>, expired = false) =>
    judge({ result: create(ResultSchema, { outcome }), accepted: true, expired })?.undo;
  const applied = (action: PlannedAction, before?: { tooLarge: boolean }) =>
    undo({
      case: "applyWishes",
      value: { runtimes: [{ name: "press", action }], ...(before && { before }) },
    });
  assert.equal(applied(PlannedAction.UPDATE, { tooLarge: false }), "before");
  assert.equal(applied(PlannedAction.UPDATE, { tooLarge: true }), "too_large");
  assert.equal(applied(PlannedAction.UPDATE), "unknown", "an older daemon does not say");
  assert.equal(applied(PlannedAction.KEEP, { tooLarge: false }), "nothing");
  const refused = (kind: FailureKind, expired = false) =>
    undo({ case: "failure", value: { kind, message: "no" } }, expired);
  assert.equal(refused(FailureKind.DENIED), "nothing");
  assert.equal(refused(FailureKind.DEADLINE, true), "nothing", "it never reached the node");
  assert.equal(refused(FailureKind.CANCELLED), "unknown");
  assert.equal(judge({ accepted: true, expired: false }), undefined);
});
