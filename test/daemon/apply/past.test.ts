/** What there was before an apply is told the same however often the command is carried out, and brings it back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { type ApplyWishesRequest, ApplyWishesRequestSchema } from "../../../gen/edge/v1/wishes_pb.ts";
import { Sql } from "../../../src/base/sql.ts";
import { applySchema, Past } from "../../../src/daemon/apply/index.ts";
import { beforeOf } from "../../../src/daemon/apply/past.ts";
import { sorted } from "../../../src/daemon/runtimes/plan-wishes.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const runtime = (name: string, image = "plc:1", line = "7") =>
  create(RuntimeSpecSchema, { name, image, labels: [{ key: "line", value: line }] });
const agent = (name: string, image = "agent:1") => create(AgentSpecSchema, { name, image });
const names = (of: readonly { name: string }[]) => of.map(({ name }) => name);

const there = {
  runtimes: [runtime("kept"), runtime("changed"), runtime("pruned"), runtime("other", "plc:1", "8")],
  agents: [agent("poet"), agent("watcher")],
};
const asked: ApplyWishesRequest = create(ApplyWishesRequestSchema, {
  runtimes: [runtime("kept"), runtime("changed", "plc:2"), runtime("fresh")],
  agents: [agent("poet", "agent:2"), agent("young")],
  prune: [{ key: "line", value: "7" }],
  absentAgents: ["watcher", "never"],
  keepBefore: true,
});

test("before an apply is all that it names or deletes, and what it names that is not there", () => {
  const { runtimes, agents, absentRuntimes, absentAgents, tooLarge } = beforeOf(asked, there);
  assert.deepEqual(names(runtimes), ["kept", "changed", "pruned"]);
  assert.equal(runtimes[1]?.image, "plc:1");
  assert.deepEqual(names(agents), ["poet", "watcher"]);
  assert.deepEqual([absentRuntimes, absentAgents], [["fresh"], ["young", "never"]]);
  assert.equal(tooLarge, false);
  const huge = { ...there, runtimes: [{ ...runtime("changed"), image: "x".repeat(600 * 1024) }] };
  assert.equal(beforeOf(asked, huge).tooLarge, true, "an answer carries only so much");
});

test("a command that is taken up again says what there was before it began, and not what it made", () => {
  using folder = tempFolder();
  const file = join(folder.path, "daemon.db");
  const open = () => Sql.open(file, [applySchema], Date.now);
  const first = open();
  const told = new Past(first).before("c-1", asked, () => there);
  first[Symbol.dispose]();
  const second = open();
  const past = new Past(second);
  const later = { runtimes: [runtime("changed", "plc:2")], agents: [] };
  assert.deepEqual(
    past.before("c-1", asked, () => later),
    told,
  );
  assert.deepEqual(names(past.before("c-2", asked, () => later).runtimes), ["changed"]);
  second[Symbol.dispose]();
});

test("a runtime that is not to be there goes whatever its labels, unless it is wished for", () => {
  const standing = there.runtimes.map((spec) => ({
    name: spec.name,
    spec,
    desired: "running",
    actingCommandId: "",
  }));
  const { leaving, staying } = sorted(
    { runtimes: [runtime("kept")], prune: [], absentRuntimes: ["kept", "other"] },
    standing as unknown as Parameters<typeof sorted>[1], // All that is looked at.
  );
  assert.deepEqual([names(leaving), names(staying)], [["other"], ["changed", "pruned"]]);
});
