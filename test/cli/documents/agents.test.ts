import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create, equals } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { type AgentSpec, AgentSpecSchema, MissedRuns } from "../../../gen/edge/v1/agents_pb.ts";
import { Failure } from "../../../src/base/failure.ts";
import { readWishes, treeFrom } from "../../../src/cli/documents/index.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import fc from "../../fixtures/properties.ts";
import { anyMessage } from "../../fixtures/random-message.ts";

/** What a file with this text wishes for. */
async function read(text: string) {
  using folder = tempFolder();
  writeFileSync(join(folder.path, "poet.yaml"), text);
  const terminal = { input: () => Promise.resolve(new Uint8Array()) };
  const { signal } = new AbortController();
  return await readWishes(["poet.yaml"], { cwd: folder.path, env: {}, terminal, signal });
}

async function faults(text: string): Promise<string[]> {
  try {
    await read(text);
  } catch (thrown) {
    assert.ok(thrown instanceof Failure && thrown.kind === "invalid", String(thrown));
    return thrown.violations.map(({ field, message }) => `${field}: ${message}`);
  }
  return assert.fail("it was taken");
}

const document = (spec: unknown): string =>
  stringify({ apiVersion: "edge.v1", kind: "Agent", spec }, { lineWidth: 0, customTags: ["binary"] });

test("a file describes an agent as people write sizes, durations, scripts and bytes", async () => {
  const expected = create(AgentSpecSchema, {
    ...{
      name: "poet",
      image: "python:3",
      script: "import sys\nprint(sys.stdin.read())\n",
      command: ["python3"],
    },
    resources: {
      ...{ memoryBytes: 64n << 20n, cpuMillis: 500, diskBytes: 512_000_000n },
      ...{ wallTimeMs: 300_000, stopGraceMs: 250 },
    },
    tmpfs: [{ path: "/cache", sizeBytes: 1n << 30n }],
    retries: { most: 3, firstMs: 2000, mostMs: 60_000 },
    schedule: { cron: "*/5 * * * *", missed: MissedRuns.ONCE, input: new TextEncoder().encode("grüß dich") },
    maxIoBytes: 1 << 20,
  });
  const yaml = `
apiVersion: edge.v1
kind: Agent
spec:
  name: poet
  image: python:3
  command: [python3]
  script: |
    import sys
    print(sys.stdin.read())
  resources: { memory: 64Mi, cpu_millis: 500, disk_bytes: 512MB, wallTime: 5m, stop_grace_ms: 250 }
  tmpfs: [{ path: /cache, size: 1GiB }]
  retries: { most: 3, first: 2s, most_ms: 1m }
  schedule: { cron: "*/5 * * * *", missed: once, input: grüß dich }
  max_io: 1048576
`;
  const resources = {
    memory: "64Mi",
    cpuMillis: 500,
    diskBytes: "512000000",
    wall_time: "300s",
    stopGrace: "250ms",
  };
  const json = JSON.stringify({
    kind: "Agent",
    spec: {
      ...{ name: "poet", image: "python:3", script: expected.script, command: ["python3"], resources },
      ...{ tmpfs: [{ path: "/cache", size: 2 ** 30 }], retries: { most: 3, first_ms: 2000, mostMs: "60s" } },
      schedule: { cron: "*/5 * * * *", missed: "MISSED_RUNS_ONCE", input: "grüß dich" },
      maxIo: "1MiB",
    },
  });
  for (const text of [yaml, json]) {
    const [agent] = (await read(text)).agents;
    assert.ok(agent && equals(AgentSpecSchema, agent.spec, expected), text);
  }
  const { runtimes, agents } = await read(`${yaml}---\nkind: Runtime\nspec: { name: poet, image: plc:4 }\n`);
  assert.deepEqual([runtimes.length, agents.length], [1, 1], "a runtime may have an agent's name");
  const binary = await read(
    document({ name: "a", image: "b", schedule: { cron: "@daily", input: Buffer.of(0xff, 0) } }),
  );
  assert.deepEqual(binary.agents[0]?.spec.schedule?.input, Uint8Array.of(0xff, 0));
});

test("a quantity that nobody can mean is refused by field and value, and is never no limit", async () => {
  const wrong = (key: string, value: string) =>
    faults(`kind: Agent\nspec:\n  name: a\n  image: b\n  resources:\n    ${key}: ${value}\n`);
  const size = "a size such as 1048576, 512MB (512,000,000 bytes), 2G (2,000,000,000) or 512Mi (536,870,912)";
  const duration = "a duration such as 250ms, 30s, 5m, 2h or 7d";
  const memory = "poet.yaml:6: spec.resources.memory_bytes: ";
  const wallTime = "poet.yaml:6: spec.resources.wall_time_ms: ";
  const cases: [key: string, value: string, fault: string][] = [
    ["memory", "12 parsecs", `${memory}is "12 parsecs"; ${size} is needed`],
    ["memory_bytes", "64Qi", `${memory}is "64Qi"; ${size} is needed`],
    ["memory", "-64Mi", `${memory}is "-64Mi"; ${size} is needed`],
    ["memory", "1.5", `${memory}is 1.5; ${size} is needed`],
    ["memory", "[64Mi]", `${memory}is a list; ${size} is needed`],
    ["memoryBytes", "0MB", `${memory}is "0MB", which limits nothing; leave it out for what is usual`],
    ["memory", "0", `${memory}is 0, which limits nothing; leave it out for what is usual`],
    ["memory", "1k", `${memory}is 1000; 6291456 to 1125899906842624 is allowed`],
    ["wall_time", "5000", `${wallTime}is 5000 of nobody knows what; ${duration} is needed`],
    ["wall_time_ms", "5 minutes", `${wallTime}is "5 minutes"; ${duration} is needed`],
    ["wallTime", "0s", `${wallTime}is "0s", which limits nothing; leave it out for what is usual`],
    ["wall_time", "100d", `${wallTime}is "100d"; that is more than it can hold`],
    ["wall_time", "2d", `${wallTime}is 172800000; 100 to 86400000 is allowed`],
    [
      "cpu",
      "1",
      "poet.yaml:6: spec.resources.cpu: is not known; there are memory_bytes, cpu_millis, pids, disk_bytes, wall_time_ms, stop_grace_ms",
    ],
    ["memmory", "64Mi", "poet.yaml:6: spec.resources.memmory: is not known; did you mean memory?"],
  ];
  for (const [key, value, fault] of cases) assert.deepEqual(await wrong(key, value), [fault]);
  const twice = "{ memory: 64Mi, memory_bytes: 1 }";
  assert.deepEqual(await faults(`kind: Agent\nspec:\n  name: a\n  image: b\n  resources: ${twice}\n`), [
    "poet.yaml:5: spec.resources.memory_bytes: is given twice, under two of its names",
  ]);
  assert.deepEqual(await faults("apiVersion: v1\nkind: Agnet\nspec: { name: a }\n"), [
    'poet.yaml:1: apiVersion: is "v1"; edge.v1 is what this program reads',
    'poet.yaml:2: kind: "Agnet" is not known; did you mean Agent?',
  ]);
  assert.deepEqual(
    await faults("kind: Agent\nspec: { name: A, image: b, schedule: { cron: x, input: 5 } }\n"),
    ["poet.yaml:2: spec.schedule.input: is 5; a text is needed, or !!binary with base64 behind it"],
  );
});

test("any agent that is written as a document is read back equal, or refused by its places", async () => {
  let good = 0;
  const property = fc.asyncProperty(anyMessage(AgentSpecSchema), async (spec: AgentSpec) => {
    const text = document(treeFrom(AgentSpecSchema, spec));
    try {
      const [agent] = (await read(text)).agents;
      assert.ok(agent && equals(AgentSpecSchema, agent.spec, spec), text);
      good++;
    } catch (thrown) {
      assert.ok(thrown instanceof Failure, String(thrown));
      for (const { field } of thrown.violations) assert.match(field, /^poet\.yaml:\d+: spec/, text);
    }
  });
  // One of fifteen is good: of sixty, sometimes none.
  for (let round = 0; round === 0 || (good === 0 && round < 10); round++) {
    await fc.assert(property, { numRuns: 60 });
  }
  assert.ok(good > 0);
});
