import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type AgentSpec, AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import {
  type ExecuteTaskRequest,
  ExecuteTaskRequestSchema,
  TaskState,
} from "../../../gen/edge/v1/tasks_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { newId } from "../../../src/base/ids.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { aborted } from "../../../src/base/tasks.ts";
import { Agents, type AgentsOptions, agentsSchema } from "../../../src/daemon/agents/index.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import type { CellHost } from "../../../src/daemon/tasks/cell-host.ts";
import { Tasks, tasksSchema } from "../../../src/daemon/tasks/index.ts";
import type { TasksOptions } from "../../../src/daemon/tasks/room.ts";
import type { Ask } from "../../../src/daemon/work/index.ts";

/** Where cells are made: real ones, or those of the fake. */
export interface Place {
  cells: TasksOptions["cells"];
  engine: AgentsOptions["engine"];
  images: AgentsOptions["images"];
  /** An image of which `sh` runs. */
  image: string;
  /** Ids of the cells that there are. */
  cellIds(): Promise<string[]>;
}

export type LifeOptions = Partial<TasksOptions>;

/** A life of the rooms of agents and tasks on the state in a folder: the next one takes up what this one left. */
export function live(folder: string, place: Place, options: LifeOptions = {}) {
  const sql = Sql.open(join(folder, "daemon.db"), [journalSchema, agentsSchema, tasksSchema], () =>
    Date.now(),
  );
  const journal = Journal.open(sql, { now: () => Date.now() });
  const level = process.env.ORCHESTRATOR_TEST_LOG === "info" ? "debug" : "silent";
  const log = openLog({ program: "test", level, format: "pretty" });
  const agents = Agents.open({
    ...{ sql, journal, clock: systemClock, engine: place.engine, images: place.images },
    tasks: () => tasks,
    isolations: () => Promise.resolve(["container"]),
    decide: () => {},
    checkCredentials: () => Promise.resolve(),
  });
  const tasks = Tasks.open({
    ...{
      sql,
      journal,
      log,
      agents,
      clock: systemClock,
      random: () => 0.1,
      cells: place.cells,
      adopt: () => Promise.resolve(),
    },
    machineTime: () => ({ bootId: "one", uptimeMs: performance.now() }),
    ...{
      slots: () => 4,
      queueLimit: 100,
      kept: { tasks: 100, bytes: 64 << 20 },
      maxCells: () => 20,
      judge: () => {},
    },
    ...options,
  });
  const end = new AbortController();
  const running = tasks.run(end.signal);
  return {
    ...{ agents, tasks, journal },
    /** Deploys an agent whose program is these words of a shell. */
    deploy: (name: string, script: string, init: SpecInit = {}) =>
      agents.deploy(spec(name, place.image, script, init), ask()),
    /** Executes an agent and waits for the end. */
    execute: async (agent: string, init: ExecuteInit = {}, id = newId("cmd")) => {
      const { task, output } = await tasks.execute(request(agent, { wait: true, ...init }), ask(id));
      return { task, text: Buffer.from(output).toString(), state: stateName(task.state) };
    },
    /** Executes it without waiting; @returns its id. */
    submit: async (agent: string, init: ExecuteInit = {}, id = newId("cmd")) => {
      await tasks.execute(request(agent, init), ask(id));
      return id;
    },
    state: (id: string) => stateName(tasks.get({ id } as Parameters<typeof tasks.get>[0]).task.state),
    /** States that were told of a task, in order. */
    told: (id: string) =>
      journal
        .read(0, 10_000)
        .flatMap(({ entry }) => (entry.case === "event" ? entry.value : []))
        .flatMap(({ fact }) =>
          fact.case === "task" && fact.value.id === id ? stateName(fact.value.state) : [],
        ),
    /** Ends it at once, as a crash would: what runs runs on. */
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
      sql[Symbol.dispose]();
    },
  };
}

export type Life = ReturnType<typeof live>;

type SpecInit = Partial<Exclude<MessageInitShape<typeof AgentSpecSchema>, AgentSpec>>;
type ExecuteInit = Partial<Exclude<MessageInitShape<typeof ExecuteTaskRequestSchema>, ExecuteTaskRequest>> & {
  text?: string;
};

/** An agent whose program is these words of a shell, with a short grace. */
export function spec(name: string, image: string, script: string, init: SpecInit = {}): AgentSpec {
  return create(AgentSpecSchema, {
    ...{ name, image, command: ["sh", "-c", script] },
    ...init,
    resources: { stopGraceMs: 300, ...init.resources },
  });
}

function request(agent: string, { text = "", ...init }: ExecuteInit): ExecuteTaskRequest {
  return create(ExecuteTaskRequestSchema, { agent, input: Buffer.from(text), ...init });
}

/** One who asks, and patiently. */
export function ask(id = newId("cmd")): Ask {
  return { id, actor: "test", signal: AbortSignal.timeout(60_000), progress: () => {} };
}

const stateNames = Object.fromEntries(Object.entries(TaskState).map(([name, state]) => [state, name]));

/** A state as a word. */
export function stateName(state: TaskState): string {
  return stateNames[state] ?? String(state);
}

/** Cells that are made, and of which the daemon that asked never hears: it dies in between. */
export function silentOnceMade(cells: CellHost, made: () => void): CellHost {
  return {
    start: async (cell, signal) => {
      await cells.start(cell, signal);
      made();
      await aborted(signal);
      throw signal.reason;
    },
    give: (...all) => cells.give(...all),
    ended: (...all) => cells.ended(...all),
    stop: (...all) => cells.stop(...all),
    remove: (...all) => cells.remove(...all),
    logs: (...all) => cells.logs(...all),
    found: (signal) => cells.found(signal),
    list: (signal) => cells.list(signal),
  };
}
