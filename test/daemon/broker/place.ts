/** A broker with its real topics, sessions, memory, state file and sockets; tasks, policy and the gateway are played. */
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import type { Event } from "../../../gen/edge/v1/events_pb.ts";
import type { PolicyDenial } from "../../../gen/edge/v1/policy_pb.ts";
import { type Task, TaskSchema } from "../../../gen/edge/v1/tasks_pb.ts";
import { Changes } from "../../../src/base/changes.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Broker, schema } from "../../../src/daemon/broker/index.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { Memory } from "../../../src/daemon/memory/index.ts";
import { Sessions, schema as sessionsSchema } from "../../../src/daemon/sessions/index.ts";
import type { TreeTasks } from "../../../src/daemon/tasks/index.ts";
import { Topics } from "../../../src/daemon/topics/index.ts";

const log = openLog({ program: "test", level: "silent", format: "json" });

export interface Place extends AsyncDisposable {
  broker: Broker;
  topics: Topics;
  tasks: PlayedTasks;
  journal: Journal;
  /** What the policy says of commands; nothing when it allows them. */
  denials: Map<string, PolicyDenial[]>;
  /** Denials that were noted. */
  noted: string[];
  /** Adds an agent. */
  agent(spec: MessageInitShape<typeof AgentSpecSchema>): void;
  /** Makes the folder and socket of a cell, claimed by a task unless it is to be warm. */
  cell(agent: string, of?: { taskId?: string; rootId?: string; isWarm?: boolean }): Promise<string>;
  /** Gives a cell that was made warm its task. */
  claim(agent: string, taskId: string): void;
  /** Facts in the journal, newest last. */
  facts(): Event["fact"][];
}

/** Opens a broker on the state in a folder: the same again is a daemon that starts again. */
export function openPlace(folder: string): Place {
  const schemas = [journalSchema, schema, sessionsSchema];
  const sql = Sql.open(join(folder, "daemon.db"), schemas, systemClock.now);
  const journal = Journal.open(sql, { now: systemClock.now });
  const topics = Topics.open({
    ...{ path: join(folder, "topics.db"), journal, clock: systemClock, log },
    kept: { messages: 10_000, bytes: 64 << 20 },
  });
  const tasks = playedTasks();
  const specs = new Map<string, ReturnType<typeof create<typeof AgentSpecSchema>>>();
  const denials: Place["denials"] = new Map();
  const noted: string[] = [];
  const sessions = Sessions.open({
    ...{ sql, journal, clock: systemClock, log },
    settings: {
      ...{ timeoutMs: 60_000, idleAfterMs: 30_000, maxSessions: 10, maxPerAgent: 10, maxPerOwner: 10 },
      ...{ maxMessages: 100, maxBytes: 1 << 20 },
    },
    hasAgent: (name) => specs.has(name),
    isRunning: () => true,
  });
  const memory = Memory.open({
    ...{ path: join(folder, "memory.db"), journal, clock: systemClock, log },
    settings: { entriesPerGroup: 100, maxBytes: 1 << 20 },
    embed: () => Promise.reject(failure("unsupported", "no model here")),
  });
  const broker = Broker.open({
    ...{ sql, journal, clock: systemClock, log, topics, sessions, memory },
    tasks: () => tasks,
    agents: { specOf: (name) => specs.get(name), has: (name) => specs.has(name) },
    policy: {
      judge: (_, asked) => ("command" in asked ? (denials.get(asked.command) ?? []) : []),
      note: (caller, asked, said) => {
        const rules = said.map(({ rule, field, value }) => `${rule} ${field} ${value}`).join(", ");
        noted.push(`${caller.actor} ${caller.taskId} ${"command" in asked ? asked.command : ""} ${rules}`);
      },
    },
    gateway: {
      handle: async (request, response, who) => {
        response.writeHead(200, { "content-type": "text/plain" });
        response.end(`${who.agent} ${who.taskId} ${request.method} ${request.url}`);
      },
    },
    isDebug: () => false,
  });
  const stop = new AbortController();
  const running = broker.run(stop.signal);
  let last = 0;
  return {
    ...{ broker, topics, tasks, journal, denials, noted },
    agent: (spec) => specs.set(spec.name ?? "", create(AgentSpecSchema, spec)),
    async cell(agent, { taskId = `task-${++last}`, rootId = taskId, isWarm = false } = {}) {
      const id = `cell-${agent}-${taskId}`;
      const at = join(folder, id);
      mkdirSync(at, { recursive: true });
      if (!isWarm) tasks.claim(id, create(TaskSchema, { id: taskId, agent, rootId }));
      await broker.adopt({ id, agent, version: 1 }, at);
      return join(at, "broker.sock");
    },
    claim: (agent, taskId) =>
      tasks.claim(`cell-${agent}-${taskId}`, create(TaskSchema, { id: taskId, agent, rootId: taskId })),
    facts: () =>
      journal
        .history({ afterSequence: 0n, limit: 1_000, runtime: "", agent: "" })
        .flatMap(({ event }) => (event ? [event.fact] : [])),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await broker[Symbol.asyncDispose]();
      topics[Symbol.dispose]();
      memory[Symbol.dispose]();
      sql[Symbol.dispose]();
    },
  };
}

export interface PlayedTasks extends TreeTasks {
  claim(cellId: string, task: Task): void;
  /** Brings a task into its final state. */
  end(taskId: string): void;
}

function playedTasks(): PlayedTasks {
  const byCell = new Map<string, Task>();
  const listeners = new Set<(task: Task) => void>();
  const claims = new Changes();
  return {
    claim(cellId, task) {
      byCell.set(cellId, task);
      claims.notify();
    },
    async claimed(cellId, signal) {
      for await (const _ of claims.wakes(signal)) {
        const task = byCell.get(cellId);
        if (task) return task;
      }
      throw signal.reason;
    },
    end(taskId) {
      for (const [cell, task] of byCell) {
        if (task.id !== taskId) continue;
        byCell.delete(cell);
        for (const listener of listeners) listener(task);
      }
    },
    taskOfCell: (cellId) => byCell.get(cellId),
    spawn: (parentId, { agent, key }) => create(TaskSchema, { id: `child-${key}`, agent, parentId }),
    wait: (_, __, ___, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
    children: () => [],
    cancelBelow: (_, id) => Promise.reject(failure("not_found", `there is no task ${id} below this one`)),
    unfinishedOf: (rootId) => [...byCell.values()].filter((task) => task.rootId === rootId),
    onFinal(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** One answer of a socket, as Connect tells it in JSON. */
export interface Told {
  status: number;
  body: Record<string, unknown>;
}

/** Asks a method of the broker, or of another service, by JSON over HTTP/1.1. */
export function ask(
  socketPath: string,
  method: string,
  body: object = {},
  headers: Record<string, string> = {},
): Promise<Told> {
  const path = `/edge.v1.${method.includes("/") ? method : `Broker/${method}`}`;
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        ...{ socketPath, path, method: "POST" },
        headers: { "content-type": "application/json", ...headers },
      },
      (response) => {
        let text = "";
        response.on("data", (part: Buffer) => {
          text += part.toString();
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Told["body"] }),
        );
        response.on("error", reject);
      },
    );
    sent.on("error", reject);
    sent.end(JSON.stringify(body));
  });
}

/** A stream of the broker, message by message, as Connect sends it in JSON: five bytes of length before each. */
export async function* stream(
  socketPath: string,
  method: string,
  body: object,
  signal: AbortSignal,
): AsyncGenerator<Record<string, unknown>> {
  const text = Buffer.from(JSON.stringify(body));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  const response = await new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
    const sent = httpRequest(
      {
        ...{ socketPath, path: `/edge.v1.Broker/${method}`, method: "POST", signal },
        headers: { "content-type": "application/connect+json" },
      },
      resolve,
    );
    sent.on("error", reject);
    sent.end(Buffer.concat([head, text]));
  });
  response.on("error", () => {}); // Whoever reads on hears of it.
  let rest = Buffer.alloc(0);
  for await (const part of response) {
    rest = Buffer.concat([rest, part as Buffer]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const length = 5 + rest.readUInt32BE(1);
      yield JSON.parse(rest.subarray(5, length).toString()) as Record<string, unknown>;
      rest = rest.subarray(length);
    }
  }
}

const run = promisify(execFile);

/** What curl says of a socket. */
export async function curl(socketPath: string, ...args: string[]): Promise<string> {
  const { stdout } = await run("curl", ["-sS", "--unix-socket", socketPath, ...args]);
  return stdout;
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
