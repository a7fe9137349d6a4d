import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DescMessage } from "@bufbuild/protobuf";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse, stringify } from "yaml";
import { AgentSpecSchema } from "../../gen/edge/v1/agents_pb.ts";
import { RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { Failure } from "../../src/base/failure.ts";
import { readWishes, treeFrom } from "../../src/cli/documents/index.ts";
import { schemaFiles, schemasFolder } from "../../tools/schemas.ts";
import { tempFolder } from "../fixtures/folder.ts";
import fc from "../fixtures/properties.ts";
import { anyMessage } from "../fixtures/random-message.ts";

/** The published schema of a kind, as an editor uses it; one that breaks the rules of JSON Schema throws. */
function editorFor(kind: "agent" | "runtime") {
  const schema: unknown = JSON.parse(readFileSync(join(schemasFolder, `${kind}.json`), "utf8"));
  const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true });
  const check = ajv.compile(schema as object);
  return (text: string): string[] => {
    check(parse(text, { merge: true }));
    return (check.errors ?? []).map(
      (one) => `${one.instancePath} ${one.message ?? ""} ${JSON.stringify(one.params)}`,
    );
  };
}

/** Whether the CLI takes a document. */
async function isTaken(text: string): Promise<boolean> {
  using folder = tempFolder();
  writeFileSync(join(folder.path, "file.yaml"), text);
  const terminal = { input: () => Promise.resolve(new Uint8Array()) };
  try {
    await readWishes(["file.yaml"], {
      cwd: folder.path,
      env: {},
      terminal,
      signal: new AbortController().signal,
    });
    return true;
  } catch (thrown) {
    assert.ok(thrown instanceof Failure, String(thrown));
    return false;
  }
}

test("the published schemas are those of the contract", () => {
  for (const [name, text] of schemaFiles()) {
    const published = readFileSync(join(schemasFolder, name), "utf8");
    assert.equal(published, text, "bring them up to date: node tools/schemas.ts");
  }
});

const wall = (value: string) => `kind: Agent\nspec: { name: a, image: b, resources: { ${value} } }\n`;

test("an editor takes what the CLI takes, and marks what it refuses", async () => {
  const check = editorFor("agent");
  const cases: [text: string, isGood: boolean][] = [
    [wall("memory: 64Mi, wall_time: 5m, diskBytes: 512MB, stopGrace: 250ms"), true],
    [wall("memory_bytes: 67108864, wall_time_ms: 5000"), true],
    ...[
      "memory: 12 parsecs",
      "memory: 0MB",
      "memory: 64Qi",
      "wall_time: 5000",
      "wallTime: 0s",
      "memmory: 64Mi",
    ].map((value): [string, boolean] => [wall(value), false]),
    ["apiVersion: edge.v2\nkind: Agent\nspec: { name: a, image: b }\n", false],
    ["kind: Runtime\nspec: { name: a, image: b }\n", false],
    ["kind: Agent\nspec: { name: a }\n", false],
    ["kind: Agent\nspec: { name: A, image: b }\n", false],
    ["kind: Agent\nspec: { name: a, image: b, mounts: [{ nodePath: /srv, path: /data }] }\n", true],
    ["kind: Agent\nspec: { name: a, image: b, mounts: [{ path: /data }] }\n", false],
    [
      "kind: Agent\nspec: { name: a, image: b, schedule: { cron: '@daily', missed: once, input: hi } }\n",
      true,
    ],
    ["kind: Agent\nspec: { name: a, image: b, schedule: { cron: '@daily', missed: often } }\n", false],
  ];
  for (const [text, isGood] of cases) {
    assert.equal(check(text).length === 0, isGood, `${text}: ${check(text).join("; ")}`);
    // What is a document of the other kind is refused by the schema only.
    if (!text.startsWith("kind: Runtime")) assert.equal(await isTaken(text), isGood, text);
  }
});

test("the examples are what the CLI and an editor take", async () => {
  const check = editorFor("agent");
  const examples = globSync("examples/*/agent.yaml", { cwd: join(schemasFolder, "../..") });
  assert.ok(examples.length > 0);
  for (const path of examples) {
    const text = readFileSync(join(schemasFolder, "../..", path), "utf8");
    for (const document of text.split(/^---$/m)) {
      assert.deepEqual(check(document), [], path);
      assert.ok(await isTaken(document), path);
    }
  }
});

test("whatever the CLI writes and takes back, the schema takes", async () => {
  const all = async (kind: "Agent" | "Runtime", schema: DescMessage): Promise<number> => {
    const check = editorFor(kind === "Agent" ? "agent" : "runtime");
    const enough = 2;
    let good = 0;
    await fc.assert(
      fc.asyncProperty(anyMessage(schema), async (spec) => {
        if (good >= enough) return; // One of twenty is good.
        const text = stringify(
          { kind, spec: treeFrom(schema, spec) },
          { lineWidth: 0, customTags: ["binary"] },
        );
        if (text.includes("!!binary") || !(await isTaken(text))) return;
        good++;
        assert.deepEqual(check(text), [], text);
      }),
      { numRuns: 500 },
    );
    return good;
  };
  assert.ok((await all("Agent", AgentSpecSchema)) > 0);
  assert.ok((await all("Runtime", RuntimeSpecSchema)) > 0);
});
