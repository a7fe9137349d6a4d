/** What people read of agents and tasks afterwards: in `why` and in `events`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Agents } from "../../gen/edge/v1/agents_pb.ts";
import {
  AgentChangeKind,
  CredentialChangeKind,
  EventSchema,
  Events,
  SandboxIncidentKind,
} from "../../gen/edge/v1/events_pb.ts";
import { Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { SessionState } from "../../gen/edge/v1/sessions_pb.ts";
import { TaskState, Tasks } from "../../gen/edge/v1/tasks_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { eventLine } from "../../src/cli/events-tell.ts";
import { agentOfEvent } from "../../src/wire/events.ts";
import { toConnectError } from "../../src/wire/failures.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

type Fact = NonNullable<MessageInitShape<typeof EventSchema>["fact"]>;

const event = (fact: Fact, reason = "") => create(EventSchema, { at: timestampFromMs(0), reason, fact });
const at = "1970-01-01 00:00:00Z  ";

test("every fact about agents is a sentence, and what a program chose cannot steer a terminal", () => {
  const of = { agent: "poet", taskId: "cmd-1" };
  const facts: [fact: Fact, told: string][] = [
    [
      {
        case: "task",
        value: {
          id: "cmd-1",
          agent: "poet",
          state: TaskState.FAILED,
          attempt: 2,
          exitCode: 137,
          outOfMemory: true,
        },
      },
      "task cmd-1 of agent poet failed, attempt 2",
    ],
    [
      { case: "agent", value: { name: "poet", kind: AgentChangeKind.ROLLED_BACK, version: 3 } },
      "agent poet was rolled back, and version 3 is the current one",
    ],
    [{ case: "agent", value: { name: "poet", kind: AgentChangeKind.REMOVED } }, "agent poet was removed"],
    [
      {
        case: "egressDenied",
        value: { ...of, destination: "evil\x1b[2J.example", protocol: "dns", count: 4n },
      },
      "task cmd-1 of agent poet was not let out to evil.example (dns), 4 times",
    ],
    [
      {
        case: "egressDenied",
        value: { agent: "poet", destination: "169.254.169.254", port: 80, protocol: "tcp", count: 1n },
      },
      "agent poet was not let out to 169.254.169.254:80 (tcp)",
    ],
    [
      { case: "sandboxIncident", value: { ...of, kind: SandboxIncidentKind.OUT_OF_PROCESSES } },
      "task cmd-1 of agent poet met its limit of processes",
    ],
    [
      {
        case: "policyDenied",
        value: {
          caller: { actor: "operator/eve" },
          action: "deploy_agent",
          subject: "agent/poet",
          denials: [{ rule: "image.latest" }],
        },
      },
      "policy denied operator/eve deploy_agent for agent/poet by image.latest",
    ],
    [
      {
        case: "configuration",
        value: { what: "settings", applied: true, changed: ["log.level"], needRestart: ["tasks.slots"] },
      },
      "settings changed (log.level); after a restart only: tasks.slots",
    ],
    [
      { case: "configuration", value: { what: "policy", problem: "line 3 is no YAML" } },
      "policy as it is now was refused, and what was before counts: line 3 is no YAML",
    ],
    [
      { case: "credential", value: { name: "llm", kind: CredentialChangeKind.REPLACED, revision: 2 } },
      "credential llm was replaced, revision 2",
    ],
    [{ case: "credential", value: { kind: CredentialChangeKind.VAULT_KEY } }, "vault got another key"],
    [{ case: "auditCheckpoint", value: { sequence: 40n } }, "audit trail was signed up to entry 40"],
    [
      { case: "messagesDropped", value: { subscriber: "agent/poet", count: 7n } },
      "agent/poet is too slow: 7 messages for it were dropped",
    ],
    [
      { case: "session", value: { id: "chat-1", agent: "poet", state: SessionState.IDLE } },
      "session chat-1 of agent poet idle",
    ],
  ];
  for (const [fact, told] of facts) assert.equal(eventLine(event(fact)), `${at}${told}\n`);
});

test("why finds what is meant by a name or the beginning of an id, and tells what happened to it", async () => {
  using folder = tempFolder();
  const kept = [
    event({ case: "agent", value: { name: "poet", kind: AgentChangeKind.DEPLOYED, version: 1 } }),
    event(
      { case: "task", value: { id: "cmd-00aa", agent: "poet", state: TaskState.FAILED, attempt: 1 } },
      "so it went",
    ),
    event({ case: "daemonStarted", value: { version: "0.1.0" } }),
    event({ case: "task", value: { id: "cmd-00bb", agent: "poet", state: TaskState.QUEUED } }),
    event({ case: "agent", value: { name: "gone", kind: AgentChangeKind.REMOVED } }),
  ].map((one, index) => ({ sequence: BigInt(index + 1), event: one }));
  const none = (what: string) => {
    throw toConnectError(failure("not_found", `there is no ${what}`));
  };
  await using _daemon = await standInDaemon(join(folder.path, "d.sock"), (router) => {
    router.service(Runtimes, { getRuntime: () => none("runtime") });
    router.service(Agents, {
      getAgent: ({ name }) =>
        name === "poet"
          ? {
              agent: {
                name,
                queued: 1,
                current: { version: 1, spec: { schedule: { cron: "@daily", paused: true } } },
              },
            }
          : none("agent"),
    });
    router.service(Tasks, {
      getTask: ({ id }) =>
        "cmd-00aa-more".startsWith(id)
          ? {
              task: {
                id: "cmd-00aa",
                agent: "poet",
                agentVersion: 1,
                attempts: 2,
                state: TaskState.FAILED,
                reason: "so it went",
              },
            }
          : none("task"),
    });
    router.service(Events, {
      listEvents: ({ agent, runtime }) => ({
        events: kept.filter((one) => runtime === "" && (agent === "" || agentOfEvent(one.event) === agent)),
      }),
    });
  });
  const say = async (args: string) =>
    await ask(["--socket", "d.sock", ...args.split(" ")], { folder: folder.path });
  const lines = {
    deployed: `${at}agent poet was deployed, and version 1 is the current one\n`,
    failed: `${at}task cmd-00aa of agent poet failed: so it went\n`,
    started: `${at}daemon 0.1.0 started\n`,
    queued: `${at}task cmd-00bb of agent poet queued\n`,
  };
  const agent = await say("why poet");
  assert.equal(
    agent.out,
    "agent poet is at version 1\n  1 of its tasks wait and 0 run; at most 1 may at a time\n  its schedule is paused\n" +
      Object.values(lines).join(""),
  );
  const task = await say("why cmd-00aa");
  assert.equal(
    task.out,
    `task cmd-00aa of agent poet, version 1, is failed: so it went\n  it was tried 2 times\n${lines.failed}${lines.started}`,
  );
  const gone = await say("why gone");
  assert.deepEqual(
    [gone.code, gone.out, gone.err],
    [0, `${at}agent gone was removed\n`, "there is no agent gone any more\n"],
  );
  const never = await say("why never");
  assert.equal(never.code, 4);
  assert.match(never.err, /there is no runtime, agent or task never, and its node remembers none/);
  assert.equal((await say("events list --agent poet")).out, lines.deployed + lines.failed + lines.queued);
});
