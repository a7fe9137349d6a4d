/** Programs in real cells speak with their node and with each other, in three languages, over nothing but their socket. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type AgentSpecSchema, Agents } from "../../../gen/edge/v1/agents_pb.ts";
import { TaskState, Tasks } from "../../../gen/edge/v1/tasks_pb.ts";
import { Topics } from "../../../gen/edge/v1/topics_pb.ts";
import { buildExamplesImage, examplesImage } from "../../../tools/examples-image.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { until } from "../../journeys/until.ts";
import { makeWorld } from "../../journeys/world.ts";

/** Its own, since a daemon that is killed leaves cells. */
const engine = await startEngine({ name: "broker" });
const world = await makeWorld({
  engine,
  env: {
    ORCHESTRATOR_CREDENTIALS_LENT_FOLDER: "/nonexistent/lent", // No agent here is lent a file.
    ORCHESTRATOR_NETMON_SOCKET: "/nonexistent/netmon.sock",
  },
});
after(async () => {
  await world[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});
await buildExamplesImage(engine.docker);
await world.startDaemon();

const agents = world.local(Agents);
const tasks = world.local(Tasks);
const topics = world.local(Topics);

async function deploy(name: string, command: string[], script: string, rights = {}): Promise<void> {
  const spec: MessageInitShape<typeof AgentSpecSchema> = {
    name,
    image: examplesImage,
    command,
    script,
    rights,
  };
  await agents.deployAgent({ spec });
}

/** Executes an agent, and returns what it answers when it has succeeded. */
async function answerOf(agent: string): Promise<string> {
  const { task, output } = await tasks.executeTask({ agent, wait: true });
  if (task?.state !== TaskState.SUCCEEDED) {
    const { lines } = await tasks.getTaskLogs({ id: task?.id ?? "" });
    assert.fail(`${agent}: ${task?.reason}\n${lines.map(({ text }) => text).join("\n")}`);
  }
  return Buffer.from(output).toString();
}

const inNode = `import { ask, stream, subscribe, toBytes, fromBytes } from "/opt/examples/clients/broker.mjs";\n`;
const inPython =
  'import sys, time\nsys.path.append("/opt/examples/clients")\nfrom broker import ask, stream, to_bytes, from_bytes, Refused\n';
const inShell = ". /opt/examples/clients/broker.sh\n";

test("agents in Node, Python and shell publish, subscribe, call and reply", {
  timeout: 200_000,
}, async () => {
  await deploy(
    "critic",
    ["node"],
    `${inNode}for await (const { callId, agent, payload } of stream("TakeCalls")) {
       await ask("Broker", "Reply", { callId, payload: toBytes(\`\${agent} wrote \${fromBytes(payload)}\`) });
       break;
     }
     for await (const { message } of subscribe({ topics: ["news.>"] }, { afterSequence: "0" })) {
       console.log(message.publisher, fromBytes(message.payload));
       if (message.topic === "news.last") process.exit();
     }`,
    { subscribe: ["news.>"] },
  );
  await deploy(
    "author",
    ["python3"],
    `${inPython}sys.stdin.read()
self = ask("Broker", "GetSelf")
ask("Broker", "Publish", {"message": {"topic": "news.first", "payload": to_bytes("an ode")}})
while True:
    try:
        print(from_bytes(ask("Broker", "Call", {"agent": "critic", "payload": to_bytes("an ode")})["payload"]))
        break
    except Refused as refused:
        if "unavailable" not in str(refused):
            raise
        time.sleep(0.05)
for told in stream("Subscribe", {"filter": {"topics": ["news.first"]}, "afterSequence": "0"}):
    print(told["message"]["taskId"] == self["task"]["id"])
    break
`,
    { publish: ["news.*"], subscribe: ["news.>"], call: ["critic"] },
  );
  await deploy(
    "witness",
    ["sh"],
    `${inShell}ask Broker Publish "{\\"message\\": {\\"topic\\": \\"news.last\\", \\"payload\\": \\"$(to_bytes "it was good")\\"}}" >&2
     ask Broker Publish '{"message": {"topic": "node.task.poet"}}' || true
     ask Broker Publish '{"message": {"topic": "elsewhere", "publisher": "node"}}' || true`,
    { publish: ["news.*"] },
  );
  const critic = answerOf("critic");
  assert.equal(await answerOf("author"), "author wrote an ode\nTrue\n");
  const refusals = await answerOf("witness");
  assert.match(refusals, /"code":"permission_denied".*node\.task\.poet is for facts of the node/);
  assert.match(refusals, /"code":"invalid_argument".*publisher/);
  assert.equal(await critic, "agent/author an ode\nagent/witness it was good\n");

  const { messages } = await topics.readMessages({
    filter: { topics: ["news.*", "node.task.*"] },
    limit: 1_000,
  });
  const news = messages.filter(({ topic }) => topic.startsWith("news"));
  assert.deepEqual(
    news.map(({ topic, publisher }) => [topic, publisher]),
    [
      ["news.first", "agent/author"],
      ["news.last", "agent/witness"],
    ],
  );
  assert.ok(messages.some(({ topic, publisher }) => topic === "node.task.author" && publisher === "node"));
});

test("a swarm shares a lock, tells its tree, and ends with its root", { timeout: 200_000 }, async () => {
  await deploy(
    "member",
    ["python3"],
    `${inPython}name = sys.stdin.read()
ask("Broker", "AcquireLock", {"name": "pen", "waitMs": 20000})
ask("Broker", "Tell", {"payload": to_bytes(f"{name} has the pen")})
ask("Broker", "ReleaseLock", {"name": "pen"})
`,
  );
  await deploy("sleeper", ["python3"], "import time\ntime.sleep(600)\n");
  await deploy(
    "root",
    ["python3"],
    `${inPython}for name in ["ada", "bob"]:
    ask("Broker", "SpawnTask", {"agent": "member", "input": to_bytes(name), "key": name})
heard = []
for told in stream("Subscribe", {"afterSequence": "0"}):
    heard.append(from_bytes(told["message"]["payload"]))
    if len(heard) == 2:
        break
print(sorted(heard))
print([child["task"]["state"] for child in ask("Broker", "WaitTasks")["tasks"]])
ask("Broker", "SpawnTask", {"agent": "sleeper"})
print(ask("Broker", "WaitTasks", {"any": True})["tasks"][0]["task"]["agent"])
print(ask("Broker", "WaitTasks", {"timeoutMs": 50})["timedOut"])
try:
    ask("Broker", "SpawnTask", {"agent": "root"})
except Refused as refused:
    print(refused)
`,
    { spawn: ["member", "sleeper"] },
  );
  assert.deepEqual((await answerOf("root")).split("\n"), [
    "['ada has the pen', 'bob has the pen']",
    "['TASK_STATE_SUCCEEDED', 'TASK_STATE_SUCCEEDED']",
    "member",
    "True",
    "permission_denied: agent root may not execute root: its manifest would have to name it in rights.spawn",
    "",
  ]);
  const ended = await until("the sleeper has ended", async () => {
    const [task] = (await tasks.listTasks({ agent: "sleeper" })).tasks;
    return task?.finishedAt && task;
  });
  assert.equal(ended.state, TaskState.CANCELLED);
});

test("a program that runs finds its socket again when the daemon was killed", {
  timeout: 200_000,
}, async () => {
  await deploy(
    "patient",
    ["python3"],
    `${inPython}ask("Broker", "Publish", {"message": {"topic": "patient.waits"}})
lost = False
while True:
    try:
        self = ask("Broker", "GetSelf")
        if lost:
            break
    except OSError:
        lost = True
    time.sleep(0.02)
print(self["agent"], self["task"]["state"])
`,
    { publish: ["patient.*"] },
  );
  const { task } = await tasks.executeTask({ agent: "patient" });
  await topics.readMessages({ filter: { topics: ["patient.waits"] }, waitMs: 25_000 });
  await world.daemon.kill9();
  await world.startDaemon();
  const done = await until("the task is finished", async () => {
    const found = await tasks.getTask({ id: task?.id ?? "", withOutput: true });
    return found.task?.finishedAt && found;
  });
  assert.equal(done.task?.state, TaskState.SUCCEEDED, done.task?.reason);
  assert.equal(Buffer.from(done.output).toString(), "patient TASK_STATE_RUNNING\n");
});
