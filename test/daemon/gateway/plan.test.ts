/** What the gateway decides: pure functions. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { LlmAllowanceSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { loadSettings } from "../../../src/base/settings.ts";
import { mayLeadTo } from "../../../src/daemon/gateway/address.ts";
import { cutFrom, secretCutter } from "../../../src/daemon/gateway/cut-secret.ts";
import { requestHeaders } from "../../../src/daemon/gateway/headers.ts";
import { Budgets } from "../../../src/daemon/gateway/llm-budget.ts";
import { llmSettings } from "../../../src/daemon/gateway/llm-settings.ts";
import { planUpstream } from "../../../src/daemon/gateway/upstream-plan.ts";
import { agent } from "../credentials/room.ts";

const upstream = {
  url: "https://api.example.com",
  methods: ["GET", "POST"],
  paths: ["/v1/items", "/v1/files/*"],
};
const spec = agent({
  name: "poet",
  credentials: [
    { name: "key", upstream },
    { name: "plain" },
    { name: "open", upstream: { url: "http://10.0.0.7:8080", header: "X-Api-Key" } },
  ],
});

test("a request goes to the upstream of its credential, by the methods and paths of the manifest, and nowhere else", () => {
  const planned = planUpstream(spec, { method: "GET", target: "/upstream/key/v1/files/a?b=/../c" });
  assert.deepEqual(
    { ...planned, url: planned.url.href },
    {
      credential: "key",
      url: "https://api.example.com/",
      path: "/v1/files/a?b=/../c",
      header: "authorization",
      prefix: "Bearer ",
    },
  );
  const open = planUpstream(spec, { method: "DELETE", target: "/upstream/open" });
  assert.deepEqual([open.path, open.header, open.prefix], ["/", "x-api-key", ""]);
  const refused: [method: string, target: string, kind: string][] = [
    ["GET", "/upstream/none/v1/items", "denied"],
    ["GET", "/upstream/plain/v1/items", "denied"],
    ["DELETE", "/upstream/key/v1/items", "denied"],
    ["CONNECT", "/upstream/open/x", "denied"],
    ["GET", "/upstream/key/v1/items/1", "denied"],
    ["GET", "/upstream/key/v1/file", "denied"],
    ["GET", "/upstream/key/", "denied"],
    ["GET", "/upstream/key@evil.example/v1/items", "denied"],
    ...[
      "/../admin",
      "/%2e%2e/admin",
      "/.;x/admin",
      "/..%2fadmin",
      "/\\..\\admin",
      "//admin",
      "/a b",
      "/a#b",
      "/%00",
    ].map((path): [string, string, string] => ["GET", `/upstream/key/v1/files${path}`, "invalid"]),
  ];
  for (const [method, target, kind] of refused) {
    assert.throws(() => planUpstream(spec, { method, target }), { kind }, `${method} ${target}`);
  }
});

test("a name leads neither to the node itself nor to a cloud's metadata; an address that is named is meant", () => {
  const judged = (host: string, address: string) => mayLeadTo(host, address);
  for (const address of [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "ff02::1",
    "::ffff:127.0.0.1",
  ]) {
    assert.equal(judged("api.example.com", address), false, address);
  }
  for (const address of ["203.0.113.7", "10.1.2.3", "192.168.1.1", "fd00::1", "2001:db8::1"]) {
    assert.equal(judged("plc.plant.example", address), true, address);
  }
  assert.ok(judged("127.0.0.1", "127.0.0.1") && judged("[::1]", "::1") && judged("localhost", "127.0.0.1"));
});

test("headers of the connection and the agent's own secret header go no further", () => {
  const given = {
    connection: "x-hop, close",
    "x-hop": "1",
    te: "trailers",
    host: "gateway",
    authorization: "Bearer forged",
    "proxy-authorization": "x",
    "accept-encoding": "gzip",
    accept: "a",
    cookie: "b",
    "content-length": "3",
  };
  assert.deepEqual(
    requestHeaders(given, { host: "api.example.com", header: "Authorization", value: "Bearer s" }),
    {
      ...{ accept: "a", cookie: "b", "content-length": "3" },
      ...{ host: "api.example.com", "accept-encoding": "identity", authorization: "Bearer s" },
    },
  );
});

test("a secret is cut out of an answer however its bytes come, and nothing is held up for it", async () => {
  const secret = Buffer.from("sk-aab-aac");
  const whole = "x sk-aab-aac y sk-aab-aasksk-aab-aac sk-aab-aa";
  for (let size = 1; size < whole.length; size++) {
    const parts = whole.match(new RegExp(`.{1,${size}}`, "g")) ?? [];
    const seen = await text(Readable.from(parts.map((part) => Buffer.from(part))).pipe(secretCutter(secret)));
    assert.equal(seen, "x ********** y sk-aab-aask********** sk-aab-aa", `in parts of ${size}`);
  }
  const cutter = secretCutter(secret);
  cutter.write("data: 1\n\n");
  assert.equal(String(cutter.read()), "data: 1\n\n");
  assert.equal(cutFrom("Bearer sk-aab-aac", secret), "Bearer **********");
});

test("requests under way count against a budget together, and give back what they did not use", () => {
  const used = { day: 50, task: 0 };
  const budgets = new Budgets({ used: () => used });
  const allowance = create(LlmAllowanceSchema, { tokensPerDay: 100n, tokensPerTask: 80n });
  const user = { agent: "poet", taskId: "task-1" };
  const first = budgets.hold(user, allowance, 30);
  assert.throws(() => budgets.hold(user, allowance, 21), {
    kind: "exhausted",
    word: "budget_exhausted",
    message: /poet on this day .* 50 of 100 tokens/,
  });
  using second = budgets.hold(user, allowance, 20);
  assert.throws(() => second.grow(21), { kind: "exhausted" });
  second.grow(20);
  first[Symbol.dispose]();
  used.task = 70;
  assert.throws(() => second.grow(21), {
    message: /task task-1 .* 70 of 80 tokens are used \(llm.tokens_per_task/,
  });
  second.grow(10);
  budgets.hold(user, undefined, 1e9)[Symbol.dispose]();
  budgets
    .hold({ agent: "other", taskId: "" }, create(LlmAllowanceSchema, { tokensPerTask: 1n }), 50)
    [Symbol.dispose]();
});

test("every mistake in llm_providers is told by its place", async () => {
  const load = async (value: unknown) =>
    await loadSettings(llmSettings, {
      flags: {},
      env: { ORCHESTRATOR_LLM_PROVIDERS: JSON.stringify(value) },
      sections: ["llm_providers"],
    });
  const good = {
    name: "local",
    api: "ollama",
    url: "http://127.0.0.1:11434",
    models: [{ alias: "small", model: "llama3.2" }],
  };
  const { values } = await load([good]);
  assert.deepEqual(values.llm_providers[0]?.models, [
    { alias: "small", model: "llama3.2", input_cost_micros: 0, output_cost_micros: 0 },
  ]);
  const cases: [unknown, RegExp][] = [
    [{ ...good, modles: [] }, /llm_providers\[0\]\.modles: is not a known key/],
    [{ ...good, url: "ftp://x" }, /llm_providers\[0\]\.url: must be http:/],
    [{ ...good, url: "https://key@x" }, /llm_providers\[0\]\.url/],
    [{ ...good, api: "claude" }, /llm_providers\[0\]\.api: must be openai or ollama/],
    [{ ...good, models: [{ model: "x" }] }, /llm_providers\[0\]\.models\[0\]\.alias: is missing/],
    [
      { ...good, models: [{ alias: "x", model: "x", input_cost_micros: -1 }] },
      /input_cost_micros: must be 0 or more/,
    ],
    [{ ...good, embeddings: good.models }, /llm_providers: gives the alias small to more than one model/],
  ];
  for (const [one, message] of cases) await assert.rejects(load([one]), { kind: "invalid", message });
  await assert.rejects(load("nonsense"), { kind: "invalid" });
});
