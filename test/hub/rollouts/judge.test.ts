import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
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
    return judge(create(ResultSchema, { outcome: { case: "applyWishes", value } }));
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
