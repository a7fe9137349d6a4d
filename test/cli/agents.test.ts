import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type AgentSpec, Agents } from "../../gen/edge/v1/agents_pb.ts";
import { Policy } from "../../gen/edge/v1/policy_pb.ts";
import { type LogLineSchema, LogStream } from "../../gen/edge/v1/runtimes_pb.ts";
import {
  type ExecuteTaskRequest,
  type ListTasksRequest,
  TaskPriority,
  type TaskSchema,
  TaskState,
  Tasks,
} from "../../gen/edge/v1/tasks_pb.ts";
import { failure, invalidField } from "../../src/base/failure.ts";
import { toConnectError } from "../../src/wire/failures.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask, type Seen } from "./ask.ts";
import { type Routes, standInDaemon } from "./stand-in.ts";

type TaskInit = MessageInitShape<typeof TaskSchema>;
type LineInit = MessageInitShape<typeof LogLineSchema>;

/** What a node would answer: each look at its task finds the next state, and the last one stays. */
interface Node {
  looks: TaskInit[];
  output: Uint8Array;
  /** What the log holds at each look. */
  logs: LineInit[][];
  fails?: Error;
  /** Called at each look, before it is answered. */
  onLook?: () => Promise<void>;
  allowed: boolean;
}

async function world(t: TestContext, given: Partial<Node> = {}) {
  const node: Node = { looks: [], output: new Uint8Array(), logs: [], allowed: true, ...given };
  const folder = tempFolder();
  const executed: ExecuteTaskRequest[] = [];
  const listed: ListTasksRequest[] = [];
  const deployed: (AgentSpec | undefined)[] = [];
  const removed: { name: string; cancelTasks: boolean }[] = [];
  const next = <T>(of: T[]): T | undefined => (of.length > 1 ? of.shift() : of[0]);
  const look = (): TaskInit => ({
    id: "cmd-1",
    agent: "poet",
    ...next(node.looks),
    outputBytes: node.output.length,
  });
  const routes: Routes = (router) => {
    router.service(Tasks, {
      executeTask: (request) => {
        executed.push(request);
        return { task: { id: "cmd-1", agent: request.agent, state: TaskState.QUEUED } };
      },
      getTask: async ({ withOutput, outputOffset }) => {
        await node.onLook?.();
        if (node.fails) throw toConnectError(node.fails);
        // A part at a time, as a node tells an output that is larger than an answer.
        if (withOutput) return { task: {}, output: node.output.subarray(outputOffset, outputOffset + 3) };
        return { task: look() };
      },
      getTaskLogs: () => ({ lines: next(node.logs) ?? [] }),
      listTasks: (request) => {
        listed.push(request);
        return { tasks: node.looks.length > 0 ? [look()] : [] };
      },
      cancelTask: ({ id, reason }) => ({ task: { id, state: TaskState.CANCELLED, reason }, cancelled: 3 }),
    });
    router.service(Agents, {
      deployAgent: ({ spec }) => {
        if (node.fails) throw toConnectError(node.fails);
        deployed.push(spec);
        return { agent: { current: { version: 2 } }, changed: spec?.name === "poet" };
      },
      listAgents: () => ({
        agents: [{ name: "poet", queued: 2, current: { version: 2, spec: { image: "python:3", warm: 1 } } }],
      }),
      getAgent: ({ name }) => ({
        agent: {
          name,
          current: {
            version: 2,
            spec: {
              ...{ name, image: "python:3", script: "print()", command: ["python3"] },
              resources: { memoryBytes: 64n << 20n, wallTimeMs: 60_000 },
              network: { allow: [{ host: "*.example.com", ports: [443, 8443] }, { cidr: "10.0.0.0/8" }] },
              schedule: { cron: "@daily", paused: true },
            },
          },
          versions: [
            { version: 2, actor: "operator/alice", spec: { image: "python:3" } },
            { version: 1, actor: "local", spec: { image: "python:2" } },
          ],
        },
      }),
      rollbackAgent: ({ version }) => ({ agent: { current: { version: version || 1 } } }),
      removeAgent: (request) => {
        removed.push(request);
        return { cancelled: request.cancelTasks ? 4 : 0 };
      },
    });
    const denial = {
      rule: "image.latest",
      field: "spec.image",
      value: "poet:latest",
      message: "name a version",
    };
    router.service(Policy, {
      checkPolicy: () => ({ allowed: node.allowed, denials: node.allowed ? [] : [denial] }),
    });
  };
  const socket = join(folder.path, "d.sock");
  let daemon = await standInDaemon(socket, routes);
  t.after(async () => {
    await daemon.cut();
    folder[Symbol.dispose]();
  });
  const put = (name: string, text: string | Uint8Array) => writeFileSync(join(folder.path, name), text);
  const say = async (
    args: string,
    terminal: Parameters<typeof ask>[1]["terminal"] = {},
  ): Promise<Seen & { bytes: string }> => {
    const parts: Uint8Array[] = [];
    const bytes = (one: Uint8Array) => void parts.push(one);
    const seen = await ask(["--socket", "d.sock", ...args.split(" ")], {
      folder: folder.path,
      terminal: { bytes, ...terminal },
    });
    return { ...seen, bytes: Buffer.concat(parts).toString("hex") };
  };
  const restart = async () => {
    await daemon.cut();
    daemon = await standInDaemon(socket, routes);
  };
  return { node, say, put, restart, executed, listed, deployed, removed };
}

const { QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT } = TaskState;

test("a task is executed with all that is said of it, and its output comes as it is", async (t) => {
  const { say, put, executed, node } = await world(t, { output: Uint8Array.of(0, 255, 10, 27, 91, 50, 74) });
  put("in.bin", Uint8Array.of(1, 2, 3));
  const flags = "--priority high --after cmd-0 --label tenant=a --version=3 --wall-time 20s";
  const left = await say(`task execute poet --input-file in.bin ${flags}`);
  assert.deepEqual([left.code, left.out, left.bytes], [0, "cmd-1\n", ""]);
  const [asked] = executed;
  assert.deepEqual([...(asked?.input ?? [])], [1, 2, 3]);
  assert.deepEqual(
    [asked?.agent, asked?.version, asked?.priority, asked?.after, asked?.wallTimeMs, asked?.labels[0]?.key],
    ["poet", 3, TaskPriority.HIGH, ["cmd-0"], 20_000, "tenant"],
  );

  node.looks = [{ state: QUEUED, reason: "it waits for a slot" }, { state: RUNNING }, { state: SUCCEEDED }];
  const waited = await say("task execute poet --input-file - --wait", {
    input: () => Promise.resolve(Buffer.from("hi")),
  });
  assert.deepEqual([waited.code, waited.out, waited.bytes], [0, "", "00ff0a1b5b324a"]);
  assert.match(waited.err, /task cmd-1 queued: it waits for a slot\ntask cmd-1 running\n$/);
  assert.equal(Buffer.from(executed[1]?.input ?? []).toString(), "hi");

  const read = await say("task get cmd --output");
  assert.deepEqual([read.out, read.bytes, read.err], ["", "00ff0a1b5b324a", ""]);
  const told = JSON.parse((await say("--json task execute poet --input x --wait")).out) as Record<
    string,
    unknown
  >;
  assert.equal(told.output, Buffer.from(node.output).toString("base64"));
  const shown = await say("task get cmd-1 --output", { columns: 80 });
  assert.match(shown.err, /are no text: send them into a file or a pipe/);
  node.output = Buffer.from("a\x1b[2Jb\n");
  assert.equal(
    (await say("task get cmd-1 --output", { columns: 80 })).out,
    "ab\n",
    "nothing steers the terminal",
  );
});

test("waiting exits as the task ended, and says so; what is mistyped is refused before anything is sent", async (t) => {
  const { say, node, executed } = await world(t, { output: Buffer.from("half") });
  for (const [state, code, said] of [
    [FAILED, 20, "failed"],
    [CANCELLED, 21, "cancelled"],
    [TIMED_OUT, 22, "timed out"],
  ] as const) {
    node.looks = [{ state, reason: "so it went" }];
    const seen = await say("task execute poet --wait");
    assert.deepEqual([seen.code, seen.bytes], [code, Buffer.from("half").toString("hex")]);
    assert.ok(seen.err.endsWith(`task cmd-1 ${said}: so it went\n`), seen.err);
  }
  node.looks = [{ state: RUNNING }];
  const late = await say("--timeout 2s task execute poet --wait");
  assert.equal(late.code, 8);
  assert.match(late.err, /the task goes on: look with `orchestrator task get cmd-1`/);
  node.fails = failure("not_found", "there is no task cmd-1");
  assert.equal((await say("task execute poet --wait")).code, 4);
  const sent = executed.length;
  for (const [args, code, said] of [
    ["poet --input a --input-file b", 3, /one input: say --input or --input-file, not both/],
    ["poet --input-file nowhere", 4, /cannot be read/],
    ["poet --no-wait", 11, /--no-wait needs the hub's queue/],
    ["poet --priority urgent", 2, /low, normal, high, critical/],
    ["poet --wall-time 20", 2, /not a duration such as/],
    [`poet --wall-time 99d`, 3, /wall_time_ms: is \d+; at most 86400000/],
  ] as const) {
    const seen = await say(`task execute ${args}`);
    assert.equal(seen.code, code, seen.err);
    assert.match(seen.err, said);
  }
  assert.equal(executed.length, sent);
});

test("a daemon that goes while a task is waited for is waited for, also when it goes between end and output", async (t) => {
  const { say, node, restart, executed } = await world(t, {
    looks: [{ state: RUNNING }, { state: RUNNING }, { state: SUCCEEDED }],
    output: Buffer.from("whole"),
  });
  const cutAt = [2, 5];
  let looks = 0;
  node.onLook = async () => {
    if (cutAt.includes(++looks)) await restart();
  };
  const seen = await say("task execute poet --wait");
  assert.deepEqual([seen.code, seen.bytes], [0, Buffer.from("whole").toString("hex")], seen.err);
  assert.ok(looks > 5, "it was asked again");
  assert.equal(executed.length, 1);
});

test("a log is followed to the end of its task, each line once", async (t) => {
  const line = (at: number, text: string, stream: LogStream = LogStream.STDOUT): LineInit => {
    return { at: timestampFromMs(at), text, stream };
  };
  const all = [
    line(1, "one"),
    line(2, "two", LogStream.STDERR),
    line(3, "two"),
    line(3, "\x1b[2Jthree"),
    line(4, "four"),
    line(4, "four"),
  ];
  const { say, node, listed } = await world(t, {
    looks: [{ state: QUEUED }, { state: RUNNING }, { state: RUNNING }, { state: SUCCEEDED }],
    // The last look finds the first two lines dropped.
    logs: [[], all.slice(0, 3), all.slice(0, 5), all.slice(2)],
  });
  const followed = await say("task logs cmd-1 --follow");
  assert.deepEqual(
    [followed.code, followed.out, followed.err],
    [0, "one\ntwo\ntwo\nthree\nfour\nfour\n", ""],
  );
  node.logs = [[]];
  assert.equal((await say("task logs cmd-1 --grep x")).err, "no lines\n");
  node.logs = [all.slice(0, 1)];
  const newest = await say("agent logs poet");
  assert.deepEqual([newest.out, newest.err], ["one\n", "task cmd-1 succeeded\n"]);
  assert.deepEqual([listed[0]?.agent, listed[0]?.limit], ["poet", 1]);
  node.looks = [];
  assert.match(
    (await say("agent logs poet")).err,
    /agent poet has no task: `orchestrator task execute poet` makes one/,
  );
});

test("tasks are listed, told and cancelled", async (t) => {
  const task: TaskInit = {
    ...{
      agentVersion: 2,
      state: FAILED,
      reason: "it took too much memory",
      actor: "operator/alice",
      attempts: 2,
    },
    ...{
      exitCode: 137,
      outOfMemory: true,
      parentId: "cmd-0",
      rootId: "cmd-0",
      depth: 1,
      containerId: "0123456789abcdef",
    },
    usage: { runMs: 65_000n, cpuMs: 1200n, memoryPeakBytes: 64n << 20n, waitedMs: 3n },
  };
  const { say, listed } = await world(t, { looks: [task] });
  const list = await say(
    "task list --agent poet --state failed,timed-out --parent cmd-0 --limit 5 --before cmd-9",
  );
  assert.match(
    list.out,
    /^ID +AGENT +STATE +AGE +RAN +BY +REASON\ncmd-1 +poet +failed +- +1m 5s +operator\/alice +it took too much memory\n$/,
  );
  const { agent, states, parentId, limit, beforeId } = listed[0] ?? assert.fail();
  assert.deepEqual(
    [agent, states, parentId, limit, beforeId],
    ["poet", [FAILED, TIMED_OUT], "cmd-0", 5, "cmd-9"],
  );
  assert.match((await say("task list --state done")).err, /"done" is no state; there are queued, starting/);
  const { out } = await say("task get cmd-1");
  for (const row of [
    "agent +poet, version 2",
    "exit code +137 \\(out of memory\\)",
    "parent +cmd-0, 1 below cmd-0",
  ]) {
    assert.match(out, new RegExp(`^${row}$`, "m"));
  }
  const cancelled = await say("task cancel cmd-1 --reason because");
  assert.equal(cancelled.out, "task cmd-1 cancelled: because; 3 were cancelled in all\n");
});

test("agents are deployed from files, after the policy was asked, and told where a file is wrong", async (t) => {
  const { say, put, deployed, node } = await world(t);
  put("poet.yaml", "apiVersion: edge.v1\nkind: Agent\nspec:\n  name: poet\n  image: poet:latest\n");
  put(
    "two.yaml",
    "kind: Agent\nspec: { name: poet, image: a }\n---\nkind: Agent\nspec: { name: echo, image: b }\n",
  );
  put("runtime.yaml", "kind: Runtime\nspec: { name: press-1, image: plc:4 }\n");
  put("wrong.yaml", "kind: Agent\nspec:\n  name: Poet\n  image: a\n  resources:\n    memory: lots\n");
  const done = await say("agent deploy -f two.yaml");
  assert.deepEqual(
    [done.code, done.out],
    [0, "agent poet: version 2 is deployed\nagent echo: version 2 was there already, just like this\n"],
  );
  assert.deepEqual(
    deployed.map((one) => one?.name),
    ["poet", "echo"],
  );
  for (const [file, said] of [
    ["runtime.yaml", /runtime\.yaml:1: kind: is Runtime; here are agents only/],
    ["wrong.yaml", /wrong\.yaml:6: spec\.resources\.memory_bytes: is "lots"; a size such as/],
  ] as const) {
    const seen = await say(`agent deploy -f ${file}`);
    assert.equal(seen.code, 3);
    assert.match(seen.err, said);
  }
  assert.match((await say("runtime create -f poet.yaml")).err, /`orchestrator agent deploy -f poet\.yaml`/);

  assert.deepEqual(
    (await say("agent deploy -f poet.yaml --dry-run")).out,
    "agent poet: the node's policy allows it\n",
  );
  node.allowed = false;
  const denied = await say("agent deploy -f poet.yaml --dry-run");
  assert.equal(denied.code, 6);
  assert.equal(
    denied.out,
    "agent poet: the node's policy denies it\n  image.latest: spec.image is poet:latest: name a version\n",
  );
  assert.equal(deployed.length, 2);
  node.fails = invalidField("spec.image", "is on no list");
  assert.match((await say("agent deploy -f poet.yaml")).err, /poet\.yaml:5: spec\.image: is on no list/);
});

test("agents are listed, told, rolled back and removed", async (t) => {
  const { say, removed } = await world(t);
  assert.match((await say("agent list")).out, /^NAME .*\npoet +2 +2 +0 +0\/1 +- +python:3 +-\n$/);
  const { out } = await say("agent get poet");
  for (const row of [
    "program +python3 with a script of 7 B",
    "network +\\*\\.example\\.com:443\\+8443, 10\\.0\\.0\\.0/8:443",
    "limits +memory 64\\.0 MiB, 1m for each attempt",
    "schedule +@daily in UTC, paused",
    "2 +current +- +operator/alice +python:3 +-",
  ]) {
    assert.match(out, new RegExp(`^${row}$`, "m"));
  }
  assert.equal((await say("agent rollback poet")).out, "agent poet: version 1 is the current one\n");
  assert.equal((await say("agent rollback poet --to 7")).out, "agent poet: version 7 is the current one\n");
  assert.equal(
    (await say("agent rollback poet --version 5")).out,
    "agent poet: version 5 is the current one\n",
  );
  assert.match((await say("agent list --version")).out, /^\d+\.\d+\.\d+\n$/);
  assert.equal((await say("agent remove poet")).code, 3, "nobody was asked");
  const done = await say("agent remove poet --cancel-tasks --yes");
  assert.equal(done.out, "agent poet is removed, and 4 of its tasks cancelled\n");
  assert.deepEqual(
    removed.map(({ cancelTasks }) => cancelTasks),
    [true],
  );
});
