import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentSchema, type AgentSpec, AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { PlannedAction } from "../../../gen/edge/v1/wishes_pb.ts";
import {
  Failure,
  type FailureKind,
  failure,
  invalidFields,
  refusedFields,
} from "../../../src/base/failure.ts";
import { applyAgents, checkAgents, planAgents } from "../../../src/daemon/agents/index.ts";
import type { Ask } from "../../../src/daemon/work/index.ts";

const { CREATE, UPDATE, KEEP, DELETE } = PlannedAction;

const spec = (name: string, more: MessageInitShape<typeof AgentSpecSchema> = {}): AgentSpec =>
  create(AgentSpecSchema, { name, image: "python:3", ...more });

const there = (one: AgentSpec, counts = {}) =>
  create(AgentSchema, { name: one.name, current: { version: 2, spec: one }, ...counts });

const line7 = { key: "line", value: "7" };

test("what differs is a new version, what is equal stays, and only what has all labels goes", () => {
  const env = (value: string) => [{ name: "TOKEN", value }];
  const before = spec("poet", { env: env("secret-1"), image: "python:2", script: "x".repeat(9000) });
  const after = spec("poet", { env: env("secret-2"), labels: [line7] });
  const plans = planAgents({ agents: [spec("new"), after, spec("same")], prune: [line7] }, [
    there(spec("other")),
    there(spec("gone", { labels: [line7] }), { queued: 2, running: 1 }),
    there(before),
    there(spec("same")),
  ]);
  assert.deepEqual(
    plans.map(({ name, action, tasks }) => [name, action, tasks]),
    [
      ["new", CREATE, undefined],
      ["poet", UPDATE, undefined],
      ["same", KEEP, undefined],
      ["gone", DELETE, 3],
    ],
  );
  const changes = new Map(plans[1]?.changes?.map((one) => [one.field, one]));
  assert.deepEqual([...changes.keys()], ["spec.image", "spec.script", "spec.env", "spec.labels"]);
  assert.deepEqual(
    [changes.get("spec.image")?.before, changes.get("spec.image")?.after],
    ['"python:2"', '"python:3"'],
  );
  assert.deepEqual(
    [changes.get("spec.env")?.before, changes.get("spec.env")?.after],
    ['["TOKEN"]', '["TOKEN"]'],
  );
  assert.ok((changes.get("spec.script")?.before ?? "").length < 600, "nobody reads more");
  assert.equal(
    planAgents({ agents: [], prune: [] }, [there(spec("poet"))]).length,
    0,
    "without labels nothing goes",
  );
});

/** A command, as far as these look at it. */
function ask(signal = new AbortController().signal): Ask {
  return { id: "cmd-1", actor: "operator/alice", signal, progress: () => {} }; // No more of it is read.
}

test("all manifests are looked at before anything is done, and each violation has its place", async () => {
  const refusals: Record<string, Failure> = {
    wrong: invalidFields([{ field: "spec.image", message: "is no image" }]),
    denied: refusedFields("denied", [{ field: "spec.resources.memory_bytes", message: "is too much" }]),
    lent: failure("not_found", "there is no credential llm"),
  };
  const check = async ({ name }: AgentSpec) => {
    const why = refusals[name];
    if (why) throw why;
  };
  const refusal = async (...names: string[]): Promise<[kind: FailureKind, message: string]> => {
    try {
      await checkAgents(
        { check },
        names.map((name) => spec(name)),
        ask(),
      );
    } catch (thrown) {
      assert.ok(thrown instanceof Failure);
      return [thrown.kind, thrown.message];
    }
    return assert.fail("it was let through");
  };
  await checkAgents({ check }, [spec("good")], ask());
  assert.deepEqual(await refusal("good", "wrong", "denied"), [
    "invalid",
    "agents[1].image: is no image; agents[2].resources.memory_bytes: is too much",
  ]);
  assert.deepEqual(await refusal("denied"), ["denied", "agents[0].resources.memory_bytes: is too much"]);
  assert.deepEqual(await refusal("lent"), ["not_found", "agent lent: there is no credential llm"]);
});

test("what goes wrong with one is told in its place, and a command that is called off has no answer", async () => {
  const removed: string[] = [];
  const agents = {
    deploy: async (one: AgentSpec) => {
      if (one.name === "broken") throw failure("unavailable", "the registry is away");
      return { agent: there(one), changed: true };
    },
    remove: async (name: string) => removed.push(name),
  };
  const wishes = { agents: [spec("broken"), spec("poet")], prune: [line7] };
  const plans = planAgents(wishes, [there(spec("gone", { labels: [line7] }))]);
  const applied = await applyAgents(agents, wishes, plans, ask());
  assert.deepEqual(
    applied.map((one) => [one.name, one.action, one.version, one.failure?.message]),
    [
      ["broken", CREATE, undefined, "the registry is away"],
      ["poet", CREATE, 2, undefined],
      ["gone", DELETE, 0, undefined],
    ],
  );
  assert.deepEqual(removed, ["gone"]);
  const stopped = AbortSignal.abort(failure("cancelled", "somebody called it off"));
  await assert.rejects(applyAgents(agents, wishes, plans, ask(stopped)), { kind: "cancelled" });
  const late = AbortSignal.abort(failure("deadline", "its time ran out"));
  const told = await applyAgents(agents, wishes, plans, ask(late));
  assert.deepEqual(
    told.map((one) => one.failure?.message),
    Array(3).fill("its time ran out"),
  );
});
