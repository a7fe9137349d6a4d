import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import type { Deployed } from "../../../src/daemon/agents/index.ts";
import { type Idle, oldestMs, planPool } from "../../../src/daemon/tasks/pool-plan.ts";

function agent(name: string, warm: number, init: Partial<Deployed> = {}): Deployed {
  const spec = create(AgentSpecSchema, { name, warm });
  return { name, version: 1, spec, imageDigest: "", imageId: "", deployedAt: 0, actor: "", ...init };
}

const idle = (of: Deployed, id: string, madeAt = 0): Idle => ({ id, of, madeAt });
const usual = { filling: new Map(), notBefore: new Map(), atOnce: 10, room: 10, now: 1_000 };

test("each agent gets as many as its manifest says, as far as there is room", () => {
  const [a, b] = [agent("a", 3), agent("b", 2)];
  const make = (more: object) =>
    planPool({ ...usual, agents: [a, b], idle: [idle(a, "1")], ...more }).make.map(({ name }) => name);
  assert.deepEqual(make({}), ["a", "a", "b", "b"]);
  assert.deepEqual(make({ filling: new Map([["a", 2]]) }), ["b", "b"]);
  assert.deepEqual(make({ room: 1 }), ["a"]);
  assert.deepEqual(make({ atOnce: 0 }), []);
  assert.deepEqual(make({ notBefore: new Map([["a", 2_000]]) }), ["b", "b"]);
});

test("what is of another version, too old, too many, or of nobody is dropped", () => {
  const now = agent("a", 1, { version: 2 });
  const anew = agent("b", 1, { deployedAt: 5 });
  const { drop } = planPool({
    ...usual,
    agents: [now, anew],
    idle: [
      idle(agent("a", 1), "former version"),
      idle(agent("b", 1), "of one that was removed and deployed anew"),
      idle(agent("c", 1), "of nobody"),
      idle(now, "good", 900),
      idle(now, "one more", 950),
      idle(anew, "old", 1_000 - oldestMs),
    ],
  });
  const dropped = ["former version", "of nobody", "of one that was removed and deployed anew", "old"];
  assert.deepEqual(drop.map(({ id }) => id).sort(), [...dropped, "good"].sort());
});
