import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  ForgetMemoryRequestSchema,
  SearchMemoryRequestSchema,
  StoreMemoryRequestSchema,
} from "../../../gen/edge/v1/memory_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { type Failure, failure } from "../../../src/base/failure.ts";
import { newId } from "../../../src/base/ids.ts";
import { openLog } from "../../../src/base/log.ts";
import { type Embed, Memory, type MemorySettings, type Who } from "../../../src/daemon/memory/index.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import fc from "../../fixtures/properties.ts";

const operator: Who = { is: "operator" };
const poet: Who = { is: "agent", name: "poet", taskId: "task-1", memoryGroups: ["library"] };
const never = new AbortController().signal;
const noModel: Embed = ({ alias }) => Promise.reject(failure("not_found", `no model is called ${alias}`));

interface Given extends Partial<MemorySettings> {
  embed?: Embed;
  now?: () => number;
  told?: (fact: unknown) => number;
}

function open(
  folder: string,
  { embed = noModel, now = systemClock.now, told = () => 1, ...settings }: Given = {},
): Memory {
  return Memory.open({
    ...{ path: join(folder, "memory.db"), embed, clock: { ...systemClock, now } },
    journal: { record: (fact) => told(fact.case) },
    log: openLog({ program: "test", level: "silent", format: "json" }),
    settings: { entriesPerGroup: 1_000, maxBytes: 1 << 30, ...settings },
  });
}

const keep = (
  memory: Memory,
  init: MessageInitShape<typeof StoreMemoryRequestSchema>,
  who: Who = operator,
  id = newId("cmd"),
) => memory.store(who, create(StoreMemoryRequestSchema, { group: "poet", ...init }), id, never);
const find = async (
  memory: Memory,
  init: MessageInitShape<typeof SearchMemoryRequestSchema> = {},
  who: Who = operator,
) => await memory.search(who, create(SearchMemoryRequestSchema, { group: "poet", ...init }), never);
const texts = async (...asked: Parameters<typeof find>) =>
  (await find(...asked)).entries.map(({ text }) => text);
const fails = (kind: string, sentence: RegExp) => (thrown: Failure) => {
  assert.equal(thrown.kind, kind, thrown.message);
  assert.match(thrown.message, sentence);
  return true;
};

test("the nearest are those that arithmetic says, whatever the embeddings are", async () => {
  const vector = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 });
  const usable = vector.filter((one) => one.some((number) => Math.abs(number) > 1e-3));
  await fc.assert(
    fc.asyncProperty(fc.array(usable, { minLength: 1, maxLength: 12 }), usable, async (kept, asked) => {
      using folder = tempFolder();
      using memory = open(folder.path);
      for (const [index, embedding] of kept.entries()) await keep(memory, { text: String(index), embedding });
      const { entries, searched } = await find(memory, { embedding: asked, limit: 5 });
      assert.equal(searched, kept.length);
      assert.equal(entries.length, Math.min(5, kept.length));
      const expected = kept.map((one) => cosine(one, asked)).sort((one, other) => other - one);
      for (const [place, { text, similarity }] of entries.entries()) {
        assert.ok(Math.abs(similarity - cosine(kept[Number(text)] ?? [], asked)) < 1e-5);
        assert.ok(Math.abs(similarity - (expected[place] ?? Number.NaN)) < 1e-5);
      }
    }),
    { numRuns: 20 },
  );
});

test("a search meets all filters: text whatever its case, attributes, nearness, how many", async () => {
  using folder = tempFolder();
  using memory = open(folder.path);
  const kept = [
    ["Ärger im Büro", [1, 0], { topic: "work" }],
    ["a quiet evening", [0, 1], { topic: "home", mood: "calm" }],
    ["an Evening of noise", [1, 1], { topic: "home" }],
    ["100% of nothing_", [], {}],
  ] as const;
  for (const [text, embedding, said] of kept) {
    const attributes = Object.entries(said).map(([key, value]) => ({ key, value }));
    await keep(memory, { text, embedding: [...embedding], attributes });
  }
  const home = [{ key: "topic", value: "home" }];
  assert.deepEqual(await texts(memory, { text: "äRGER" }), ["Ärger im Büro"]);
  assert.deepEqual(await texts(memory, { text: "0% of nothing_" }), ["100% of nothing_"]);
  assert.deepEqual(await texts(memory, { attributes: home }), ["an Evening of noise", "a quiet evening"]);
  assert.deepEqual(await texts(memory, { attributes: [...home, { key: "mood", value: "calm" }] }), [
    "a quiet evening",
  ]);
  assert.deepEqual(await texts(memory, { embedding: [1, 0], text: "evening", limit: 1 }), [
    "an Evening of noise",
  ]);
  const near = await find(memory, { embedding: [1, 0], minSimilarity: 0.5 });
  assert.deepEqual([near.entries.length, near.searched], [2, 3]);
  assert.deepEqual(await texts(memory, { embedding: [-1, 0] }), [
    "a quiet evening",
    "an Evening of noise",
    "Ärger im Büro",
  ]);
  assert.deepEqual(await texts(memory, { limit: 2 }), ["100% of nothing_", "an Evening of noise"]);
});

test("memories outlive the daemon; a command keeps one memory, however often it is carried out", async () => {
  using folder = tempFolder();
  using before = open(folder.path);
  const first = await keep(before, { text: "once" }, poet, "cmd-1");
  before[Symbol.dispose]();
  using memory = open(folder.path);
  assert.deepEqual(await keep(memory, { text: "once" }, poet, "cmd-1"), first);
  const { entries } = await find(memory);
  assert.deepEqual(
    entries.map(({ agent, taskId }) => [agent, taskId]),
    [["poet", "task-1"]],
  );
});

test("a group has one dimension, until none of its memories has an embedding any more", async () => {
  using folder = tempFolder();
  using memory = open(folder.path);
  await keep(memory, { text: "plain" });
  await keep(memory, { text: "two", embedding: [1, 2] });
  await assert.rejects(
    keep(memory, { text: "?", embedding: [1, 2, 3] }),
    fails("invalid", /has 3 dimensions.* have 2/),
  );
  await assert.rejects(find(memory, { embedding: [1] }), fails("invalid", /has 1 dimensions/));
  for (const embedding of [
    [0, 0],
    [Number.NaN, 1],
    [Number.POSITIVE_INFINITY, 1],
    [3e38, 3e38],
  ]) {
    await assert.rejects(keep(memory, { text: "?", embedding }), fails("invalid", /have a direction/));
  }
  assert.equal(memory.groups(operator)[0]?.dimension, 2);
  const ids = (await find(memory, { embedding: [1, 1] })).entries.map(({ id }) => id);
  assert.equal(memory.forget(operator, create(ForgetMemoryRequestSchema, { group: "poet", ids })), 1);
  await keep(memory, { text: "three", embedding: [1, 2, 3] });
  assert.equal(memory.groups(operator)[0]?.dimension, 3);
});

test("memories are forgotten by filters, and never without one", async () => {
  using folder = tempFolder();
  let at = 1_000;
  using memory = open(folder.path, { now: () => (at += 1_000) });
  const mood = [{ key: "mood", value: "calm" }];
  for (const text of ["a", "b", "c"]) await keep(memory, { text, attributes: text === "b" ? mood : [] });
  await keep(memory, { group: "other", text: "d" });
  const forget = (init: MessageInitShape<typeof ForgetMemoryRequestSchema>) =>
    memory.forget(operator, create(ForgetMemoryRequestSchema, { group: "poet", ...init }));
  assert.throws(() => forget({}), fails("invalid", /say which/));
  assert.equal(forget({ attributes: mood, before: timestampFromMs(0) }), 0);
  assert.equal(forget({ attributes: mood }), 1);
  assert.equal(forget({ before: timestampFromMs(3_000) }), 1);
  assert.deepEqual(await texts(memory), ["c"]);
  assert.equal(forget({ all: true }), 1);
  assert.deepEqual(
    memory.groups(operator).map(({ name, entries }) => [name, entries]),
    [["other", 1]],
  );
});

test("an agent has its own group and those of its manifest", async () => {
  using folder = tempFolder();
  using memory = open(folder.path);
  await keep(memory, { group: "", text: "mine" }, poet);
  await keep(memory, { group: "library", text: "shared" }, poet);
  await keep(memory, { group: "forge", text: "secret" });
  assert.deepEqual(await texts(memory, { group: "" }, poet), ["mine"]);
  await assert.rejects(find(memory, { group: "forge" }, poet), fails("denied", /rights\.memory_groups/));
  await assert.rejects(keep(memory, { group: "forge", text: "?" }, poet), fails("denied", /agent poet/));
  await assert.rejects(keep(memory, { group: "No Name", text: "?" }), fails("invalid", /no name of a group/));
  await assert.rejects(keep(memory, { group: "", text: "?" }), fails("invalid", /group: is required/));
  const names = (who: Who) => memory.groups(who).map(({ name }) => name);
  assert.deepEqual(
    [names(poet), names(operator)],
    [
      ["library", "poet"],
      ["forge", "library", "poet"],
    ],
  );
});

test("groups and the node have limits, and an answer has one", async () => {
  using folder = tempFolder();
  using memory = open(folder.path, { entriesPerGroup: 20, maxBytes: 1 << 20 });
  for (let count = 0; count < 15; count++) await keep(memory, { text: `${count}`.padEnd(65_536) });
  await assert.rejects(
    keep(memory, { group: "b", text: "x".repeat(65_536) }),
    fails("exhausted", /memory.max_size/),
  );
  for (let count = 0; count < 5; count++) await keep(memory, { text: "short" });
  await assert.rejects(keep(memory, { text: "one more" }), fails("exhausted", /entries_per_group allows 20/));
  const { entries, searched } = await find(memory, { limit: 1_000 });
  assert.deepEqual([entries.length, searched], [18, 20]);
});

test("a model of the gateway makes embeddings, on behalf of whoever asks", async () => {
  using folder = tempFolder();
  const asked: unknown[] = [];
  using memory = open(folder.path, {
    embed: async (ask) => {
      asked.push(ask);
      return [ask.text.length, 1];
    },
  });
  await keep(memory, { text: "12345", embedWith: "small" }, poet);
  const { entries } = await find(memory, { embedWith: "small", embedText: "54321" });
  assert.equal(entries[0]?.similarity.toFixed(4), "1.0000");
  assert.deepEqual(asked, [
    { alias: "small", text: "12345", agent: "poet", taskId: "task-1" },
    { alias: "small", text: "54321", agent: "", taskId: "" },
  ]);
  await assert.rejects(find(memory, { embedText: "which model?" }), fails("invalid", /belong together/));
});

test("a file that cannot be read is set aside, told, and nothing else suffers", async () => {
  using folder = tempFolder();
  writeFileSync(
    join(folder.path, "memory.db"),
    "this is no database, and long enough to look at".repeat(200),
  );
  const told: unknown[] = [];
  using memory = open(folder.path, { told: (fact) => told.push(fact) });
  assert.deepEqual(memory.groups(operator), []);
  assert.deepEqual(told, ["stateSetAside"]);
  await keep(memory, { text: "new" });
});

function cosine(one: readonly number[], other: readonly number[]): number {
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, number, index) => sum + number * (b[index] ?? 0), 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}
