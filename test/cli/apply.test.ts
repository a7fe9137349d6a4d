import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create, equals } from "@bufbuild/protobuf";
import { type AgentSpec, AgentSpecSchema, Agents } from "../../gen/edge/v1/agents_pb.ts";
import {
  DesiredState,
  ListRuntimesResponseSchema,
  type Runtime,
  RuntimePhase,
  RuntimeProfile,
  RuntimeSchema,
  type RuntimeSpec,
  RuntimeSpecSchema,
  Runtimes,
} from "../../gen/edge/v1/runtimes_pb.ts";
import {
  type ApplyWishesRequest,
  ApplyWishesResponseSchema,
  PlannedAction,
  type PlanWishesRequest,
  PlanWishesResponseSchema,
  Wishes,
} from "../../gen/edge/v1/wishes_pb.ts";
import { failure, invalidField } from "../../src/base/failure.ts";
import { toConnectError, toFailureMessage } from "../../src/wire/failures.ts";
import { mixed } from "../daemon/wishes/random-spec.ts";
import { tempFolder } from "../fixtures/folder.ts";
import fc from "../fixtures/properties.ts";
import { ask, type Seen } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

const { CREATE, UPDATE, KEEP, DELETE } = PlannedAction;

interface Node {
  plan?: Parameters<typeof create<typeof PlanWishesResponseSchema>>[1] | Error;
  applied?: Parameters<typeof create<typeof ApplyWishesResponseSchema>>[1];
  runtimes?: Runtime[];
  agents?: AgentSpec[];
}

/** A daemon that plans and applies as the test says, and a folder with files. */
async function world(t: TestContext, node: Node, files: Record<string, string> = {}) {
  const folder = tempFolder();
  const planned: PlanWishesRequest[] = [];
  const applied: ApplyWishesRequest[] = [];
  const daemon = await standInDaemon(join(folder.path, "d.sock"), (router) => {
    router.service(Wishes, {
      planWishes: (request) => {
        planned.push(request);
        if (node.plan instanceof Error) throw toConnectError(node.plan);
        return create(PlanWishesResponseSchema, node.plan ?? {});
      },
      applyWishes: (request) => {
        applied.push(request);
        return create(ApplyWishesResponseSchema, node.applied ?? {});
      },
    });
    router.service(Runtimes, {
      listRuntimes: () => create(ListRuntimesResponseSchema, { runtimes: node.runtimes ?? [] }),
    });
    router.service(Agents, {
      listAgents: () => ({
        agents: (node.agents ?? []).map((spec) => ({ name: spec.name, current: { spec } })),
      }),
    });
  });
  t.after(async () => {
    await daemon.cut();
    folder[Symbol.dispose]();
  });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder.path, name, ".."), { recursive: true });
    writeFileSync(join(folder.path, name), text);
  }
  const say = (args: string, terminal: Parameters<typeof ask>[1]["terminal"] = {}): Promise<Seen> =>
    ask(["--socket", "d.sock", ...args.split(" ")], { folder: folder.path, terminal });
  return { planned, applied, say, folder: folder.path };
}

const document = (name: string, more = "") =>
  `kind: Runtime\nspec:\n  name: ${name}\n  image: plc:4\n${more}`;

test("apply shows the plan, asks before it deletes or interrupts, and tells what became of each", async (t) => {
  const change = { field: "spec.image", before: '"plc:3"', after: '"plc:4"' };
  const runtimes = [
    { name: "press-1", action: CREATE, reason: "there is none of this name" },
    {
      name: "press-2",
      action: UPDATE,
      interrupts: true,
      reason: "another container is needed",
      changes: [change],
    },
    { name: "press-3", action: KEEP, reason: "it is as wished" },
    {
      name: "old",
      action: DELETE,
      interrupts: true,
      reason: "it is not mentioned, and has the label line=7",
    },
  ];
  const applied = [
    {
      name: "press-1",
      action: CREATE,
      failure: toFailureMessage(failure("not_found", "there is no such image")),
    },
    { name: "press-2", action: UPDATE, interrupted: true, changes: [change] },
    { name: "press-3", action: KEEP },
    { name: "old", action: DELETE },
  ];
  const files = {
    "plant.yaml": ["press-1", "press-2", "press-3"].map((name) => document(name)).join("---\n"),
  };
  const { say, ...asked } = await world(t, { plan: { runtimes }, applied: { runtimes: applied } }, files);

  const unasked = await say("apply -f plant.yaml --prune line=7,site=graz");
  assert.equal(unasked.code, 3);
  assert.match(
    unasked.err,
    /Delete old with the data in their volumes, and interrupt press-2\? Nobody is here to ask: say --yes/,
  );
  assert.equal(asked.applied.length, 0);
  const refused = await say("apply -f plant.yaml", { asks: true, confirm: () => Promise.resolve(false) });
  assert.deepEqual([refused.code, asked.applied.length], [9, 0]);

  const done = await say(
    "apply -f plant.yaml --prune line=7,site=graz --yes --pull --override-lock --probation 20s",
  );
  assert.equal(done.code, 4, "that of the first failure");
  assert.equal(
    done.err.split("waiting for the node")[0],
    [
      "+ create  press-1  there is none of this name",
      "~ update  press-2  another container is needed; its program is interrupted",
      '            spec.image  "plc:3" -> "plc:4"',
      "= keep    press-3  it is as wished",
      "- delete  old      it is not mentioned, and has the label line=7",
      "1 to create, 1 to update, 1 to delete, 1 as wished\n",
    ].join("\n") + done.err.slice(done.err.indexOf("error:")),
  );
  assert.match(done.err, /error: 1 of 4 are not as wished: press-1\n$/);
  assert.equal(
    done.out,
    [
      "press-1: not created: there is no such image",
      "press-2: updated, and its program was interrupted (spec.image)",
      "press-3: as wished",
      "old: deleted\n",
    ].join("\n"),
  );
  const [sent] = asked.applied;
  assert.deepEqual(
    sent?.runtimes.map(({ name }) => name),
    ["press-1", "press-2", "press-3"],
  );
  assert.deepEqual(
    sent?.prune.map(({ key, value }) => `${key}=${value}`),
    ["line=7", "site=graz"],
  );
  assert.deepEqual([sent?.pull, sent?.overrideLock, sent?.probationMs], [true, true, 20_000]);

  const dry = await say("apply -f plant.yaml --dry-run");
  assert.deepEqual([dry.code, asked.applied.length], [0, 1]);
  const json = await say("--json apply -f plant.yaml --yes");
  assert.equal(json.code, 4, "a failure is one for programs, too");
  assert.equal((JSON.parse(json.out) as { runtimes: unknown[] }).runtimes.length, 4);
});

test("agents stand beside runtimes: in the plan, in what is asked, in what was done, and in what is exported", async (t) => {
  const label = { key: "line", value: "7" };
  const agent = create(AgentSpecSchema, {
    ...{ name: "press-1", image: "python:3", script: "import sys\nprint(sys.argv)\n", labels: [label] },
    ...{ resources: { memoryBytes: 64n << 20n }, schedule: { cron: "@daily", input: Uint8Array.of(0xff) } },
  });
  const changes = [{ field: "spec.image", before: '"python:2"', after: '"python:3"' }];
  const plan = {
    runtimes: [{ name: "press-1", action: KEEP, reason: "it is as wished" }],
    agents: [
      { name: "press-1", action: UPDATE, reason: "it is other than version 2", changes },
      { name: "old", action: DELETE, reason: "it is not mentioned", tasks: 3 },
    ],
  };
  const applied = {
    runtimes: [{ name: "press-1", action: KEEP }],
    agents: [
      { name: "press-1", action: UPDATE, changes, version: 3 },
      {
        name: "old",
        action: DELETE,
        failure: toFailureMessage(failure("unavailable", "the engine is away")),
      },
    ],
  };
  const runtimes = [create(RuntimeSchema, { spec: { name: "press-1", image: "plc:4" } })];
  const { say, folder, ...asked } = await world(t, { plan, applied, runtimes, agents: [agent] });

  const exported = await say("export press-1");
  assert.match(
    exported.out,
    /^apiVersion: edge\.v1\nkind: Runtime\n[\s\S]*---\napiVersion: edge\.v1\nkind: Agent\n/,
  );
  assert.match(exported.out, /^ {2}script: \|\n {4}import sys\n {4}print/m);
  assert.match(exported.out, /^ {4}input: !!binary/m);
  writeFileSync(join(folder, "all.yaml"), exported.out);
  const unasked = await say("apply -f all.yaml --prune line=7");
  assert.match(
    unasked.err,
    /Remove agent old with all versions, and cancel its tasks\? Nobody is here to ask/,
  );
  const done = await say("apply -f all.yaml --prune line=7 --yes");
  assert.equal(done.code, 7, "that of the first failure");
  assert.equal(
    done.err.split("waiting for the node")[0]?.split("error:")[0],
    [
      "= keep    press-1        it is as wished",
      "~ update  agent/press-1  it is other than version 2",
      '            spec.image  "python:2" -> "python:3"',
      "- delete  agent/old      it is not mentioned",
      "            3 of its tasks are not finished, and would be cancelled",
      "0 to create, 1 to update, 1 to delete, 1 as wished\n",
    ].join("\n"),
  );
  assert.equal(
    done.out,
    "press-1: as wished\nagent/press-1: version 3 is the current one (spec.image)\nagent/old: not deleted: the engine is away\n",
  );
  const [sent] = asked.applied;
  assert.deepEqual(sent?.agents, [agent], "it is what was exported");
  assert.equal(sent.runtimes.length, 1);
});

test("what a node finds wrong with an agent is told with its file and line", async (t) => {
  const plan = invalidField("agents[0].resources.memory_bytes", "is more than policy.max_memory");
  const text = "kind: Agent\nspec:\n  name: poet\n  image: python:3\n  resources:\n    memory: 8GiB\n";
  const { say } = await world(t, { plan }, { "poet.yaml": text });
  const told = await say("diff -f poet.yaml");
  assert.match(told.err, /poet\.yaml:6: spec\.resources\.memory_bytes: is more than policy\.max_memory/);
});

test("diff exits as diff(1) does; what the node finds wrong is told with its file and line", async (t) => {
  const files = {
    "a.yaml": document("one"),
    "b.yaml": `${document("two")}---\n${document("three", "  labels:\n    - { key: edge.x, value: y }\n")}`,
  };
  const same = await world(t, { plan: { runtimes: [{ name: "one", action: KEEP }] } }, files);
  assert.equal((await same.say("diff -f a.yaml")).code, 0);
  const other = await world(t, { plan: { runtimes: [{ name: "one", action: CREATE }] } }, files);
  const { code, err, out } = await other.say("diff -f a.yaml");
  assert.deepEqual([code, err], [1, ""]);
  assert.match(out, /^\+ create {2}one/);

  const wrong = invalidField("runtimes[2].labels[0].key", '"edge.x" must not begin with edge.');
  const refusing = await world(t, { plan: wrong }, files);
  const told = await refusing.say("diff -f a.yaml -f b.yaml");
  assert.equal(told.code, 3);
  assert.match(
    told.err,
    / {2}b\.yaml:11: document 2: spec\.labels\[0\]\.key: "edge\.x" must not begin with edge\.\n/,
  );
});

test("files, folders and pipes are read; whatever is wrong with any is told at once, and nothing is sent", async (t) => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => document(`r-${at}`)).join("---\n");
  const value = "x".repeat(30_000);
  const fat = (of: string) =>
    Array.from({ length: 18 }, (_, at) =>
      document(`${of}${at}`, `  env: [{ name: A, value: ${value} }]\n`),
    ).join("---\n");
  const bomb = Array.from({ length: 9 }, (_, at) => `a${at}: &a${at} [${`*a${at - 1},`.repeat(9)}]`).join(
    "\n",
  );
  const { say, planned } = await world(
    t,
    {},
    {
      "line/b.yaml": document("b"),
      "line/a.json": JSON.stringify({
        kind: "Runtime",
        spec: { name: "a", image: "plc:4", volumePath: "/x" },
      }),
      "line/notes.txt": "not ours",
      "wrong.yaml": `${document("b", "  vnics:\n    - name: lan0\n      parent: eth0\n      vlanId: ten\n")}---\nkind: Runtme\nspec: {}\n`,
      "twice.yaml": document("b"),
      "empty.yaml": "# nothing\n",
      "many.yaml": many(500),
      "bomb.yaml": bomb.replace("*a-1", "x"),
      "open.yaml": "kind: [Runtime\n",
      "large.yaml": `# ${"x".repeat(960 << 10)}\n`,
      "fat/a.yaml": fat("a"),
      "fat/b.yaml": fat("b"),
    },
  );
  const good = await say("diff -f line -f -", { input: () => Promise.resolve(Buffer.from(document("c"))) });
  assert.equal(good.code, 0, good.err);
  assert.deepEqual(
    planned[0]?.runtimes.map(({ name, volumePath }) => [name, volumePath]),
    [
      ["a", "/x"],
      ["b", ""],
      ["c", ""],
    ],
  );

  const cases: [args: string, code: number, told: RegExp][] = [
    [
      "-f wrong.yaml",
      3,
      /wrong\.yaml:8: document 1: spec\.vnics\[0\]\.vlan_id: is "ten"; a whole number is needed\n {2}wrong\.yaml:10: document 2: kind: "Runtme" is not known; did you mean Runtime\?/,
    ],
    ["-f line -f twice.yaml", 3, /twice\.yaml:3: spec\.name: "b" is already described in line\/b\.yaml:3\n/],
    ["-f empty.yaml", 3, /empty\.yaml: is empty: a document with kind: Runtime or kind: Agent/],
    ["-f many.yaml", 10, /describe 500 runtimes, and at most 256 go to a node at once: nothing was sent/],
    ["-f bomb.yaml", 3, /has aliases that lead nowhere or to too much/],
    ["-f open.yaml", 3, /is not valid YAML or JSON \(line \d\)/],
    ["-f large.yaml", 3, /is 983\d+ bytes long; at most 983040 are read/],
    ["-f fat", 10, /the wishes are 1\.03 MiB, and a command carries at most 1\.00 MiB/],
    ["-f nowhere.yaml", 3, /is not there/],
    ["-f d.sock", 3, /cannot be read|is not a regular file/],
    ["--prune line=7", 2, /required option '-f, --file <path>'/],
    ["-f line --prune line", 2, /is not a label/],
  ];
  for (const [args, code, expected] of cases) {
    const told = await say(`diff ${args}`);
    assert.equal(told.code, code, `${args}: ${told.err}`);
    assert.match(told.err, expected);
  }
  const garbage = await say("diff -f -", { input: () => Promise.resolve(Buffer.from([0xff, 0xfe, 0, 1])) });
  assert.match(garbage.err, /the piped input - is not text in UTF-8/);
  assert.equal(planned.length, 1);
});

test("what export prints is the same wish when it is applied again, whatever it is", async (t) => {
  const runtimes: Runtime[] = [];
  const { say, planned, folder } = await world(t, { runtimes });
  const roundTrip = async (spec: RuntimeSpec, phase: RuntimePhase = RuntimePhase.RUNNING) => {
    runtimes.splice(0, runtimes.length, create(RuntimeSchema, { spec, phase }));
    const { out, code } = await say("export");
    assert.equal(code, 0);
    writeFileSync(join(folder, "out.yaml"), out);
    const told = await say("diff -f out.yaml");
    return { out, told, again: planned.at(-1)?.runtimes[0] };
  };
  const spec = create(RuntimeSpecSchema, {
    ...{ name: "press-1", image: "plc:4", profile: RuntimeProfile.PLAIN, command: ["--x", "no", "007"] },
    ...{ resources: { memoryBytes: 1n << 29n }, ulimits: [{ name: "memlock", soft: -1n, hard: -1n }] },
    env: [{ name: "A", value: "yes: # no\n\u0007 {}" }],
  });
  const { out, again } = await roundTrip(spec);
  assert.ok(again && equals(RuntimeSpecSchema, again, spec), out);
  assert.match(
    out,
    /^apiVersion: edge.v1\nkind: Runtime\nspec:\n {2}name: press-1\n {2}image: plc:4\n {2}env:\n[\s\S]*profile: plain\n/,
  );
  const stopped = await roundTrip(spec, RuntimePhase.STOPPED);
  assert.equal(stopped.again?.desired, DesiredState.STOPPED);

  let good = 0;
  await fc.assert(
    fc.asyncProperty(mixed(spec, 3), async (random) => {
      const seen = planned.length;
      const trip = await roundTrip(random);
      // A wish that breaks a rule is refused by its places, and never changed on its way.
      if (planned.length === seen) assert.match(trip.told.err, /out\.yaml:\d+: spec/);
      else {
        good++;
        assert.ok(trip.again && equals(RuntimeSpecSchema, trip.again, random), trip.out);
      }
    }),
    { numRuns: 60, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false },
  );
  assert.ok(good > 0);
  assert.match((await say("export nobody")).err, /there is no runtime or agent nobody/);
});
