import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import type { AgentSpec } from "../../gen/edge/v1/agents_pb.ts";
import { CallerSchema, Door } from "../../gen/edge/v1/policy_pb.ts";
import type { Clock } from "../base/clock.ts";
import { failure } from "../base/failure.ts";
import type { Logger } from "../base/log.ts";
import type { Sql } from "../base/sql.ts";
import { runTasks } from "../base/tasks.ts";
import { Agents, type Deployed } from "./agents/index.ts";
import { Broker, type BrokerOptions } from "./broker/index.ts";
import type { DaemonConfig } from "./config.ts";
import type { Credentials } from "./credentials/index.ts";
import type { Engine } from "./engine/index.ts";
import type { Images } from "./images/index.ts";
import type { Journal } from "./journal/index.ts";
import { type Counted, containerAskOf, type Policy, totalsOf } from "./policy/index.ts";
import { type Provider, Sandboxes } from "./sandbox/index.ts";
import { recordIncident, Tasks, usualSlots } from "./tasks/index.ts";
import { instanceIdOf } from "./wishes/index.ts";
import type { Ask } from "./work/index.ts";

export interface ExecutionsOptions extends Pick<BrokerOptions, "topics" | "sessions" | "memory" | "gateway"> {
  config: DaemonConfig;
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  random: () => number;
  engine: Engine;
  images: Images;
  policy: Policy;
  credentials: Pick<Credentials, "check">;
  /** What others put into cells, beside the broker's socket. */
  providers: readonly Provider[];
  /** The kernel's boot id. */
  bootId: string;
}

/** Who asks for a container when no caller does. */
const nodeItself = create(CallerSchema, { door: Door.NODE, actor: "node" });

/** Opens the rooms that execute agents: cells, the broker in each, agents and tasks. */
export function openExecutions({ config, policy, ...options }: ExecutionsOptions) {
  const { sql, journal, clock, log, engine, images, bootId } = options;
  const dataDir = config["daemon.data_dir"];
  const cellsFolder = join(dataDir, "cells");
  const broker = Broker.open({
    ...{ ...options, policy, tasks: () => tasks.tree },
    agents: {
      specOf: (name, version) => agents.version(name, version)?.spec,
      has: (name) => agents.current(name) !== undefined,
    },
    isDebug: () => log.isLevelEnabled("debug"),
  });
  const sandboxes = Sandboxes.open({
    ...{ engine, clock, log, random: options.random, instanceId: instanceIdOf(sql), folder: cellsFolder },
    providers: [broker, ...options.providers],
    subnet6: config["egress.ipv6_subnet"],
    keptFolders: [
      ...[dataDir, config["daemon.socket"] ?? dataDir, config["netmon.socket"]],
      ...[config["credentials.lent_folder"], config["docker.host"].replace(/^unix:\/\//, "")],
    ],
    taskOf: (cellId) => tasks.tree.taskOfCell(cellId)?.id,
    onIncident: ({ id, agent }, incident) =>
      recordIncident(journal, { agent, taskId: tasks.idOfCell(id) ?? "" }, incident),
  });
  const agents = Agents.open({
    ...{ sql, journal, clock, engine, images, tasks: () => tasks },
    isolations: (signal) => sandboxes.isolations(signal),
    checkCredentials: (spec) => options.credentials.check(spec),
    decide: (spec, { caller, id }) =>
      policy.decide(caller ?? nodeItself, { ...askedOf(spec), totals: {} }, id),
  });
  const tasks = Tasks.open({
    ...{ sql, journal, clock, log, random: options.random, agents, cells: sandboxes },
    // The kernel's monotonic clock goes on from one life of the daemon to the next.
    machineTime: () => ({ bootId, uptimeMs: Number(process.hrtime.bigint() / 1_000n) / 1_000 }),
    // Read when they are needed: they may change while the daemon runs.
    slots: () => config["tasks.slots"] ?? usualSlots(),
    get queueLimit() {
      return config["tasks.queue_limit"];
    },
    kept: {
      get tasks() {
        return config["tasks.kept"];
      },
      get bytes() {
        return config["tasks.kept_size"];
      },
    },
    maxCells: () => Number(policy.quotas.max_containers) || Number.POSITIVE_INFINITY,
    judge: (deployed, others) => mustAllow(policy, deployed.spec, others),
    adopt: (cell) => broker.adopt(cell, join(cellsFolder, cell.id)),
  });
  return {
    ...{ agents, tasks, broker, sandboxes },
    /** Containers of agents, as quotas count them. */
    cells: (): Counted[] => tasks.cells().map(counted),
    /** Removes every agent with its tasks, and all that was ever made for cells. */
    async purge(ask: Ask): Promise<void> {
      for (const { name } of agents.list()) await agents.remove(name, { cancelTasks: true }, ask);
      await sandboxes.purge(ask.signal);
    },
    run: (signal: AbortSignal) =>
      runTasks(
        signal,
        (stop) => broker.run(stop),
        (stop) => tasks.run(stop),
      ),
    async [Symbol.asyncDispose]() {
      await broker[Symbol.asyncDispose]();
      await sandboxes[Symbol.asyncDispose]();
    },
  };
}

function askedOf(spec: AgentSpec) {
  return { container: containerAskOf(spec) };
}

function counted({ spec }: Deployed): Counted {
  const { tenant, name, memoryBytes } = containerAskOf(spec);
  return { agent: name, tenant, memoryBytes: Number(memoryBytes) };
}

/** @throws {Failure} denied. exhausted: what forbids it is only what else there is now. */
function mustAllow(policy: Policy, spec: AgentSpec, others: readonly Deployed[]): void {
  const asked = askedOf(spec);
  const totals = totalsOf(others.map(counted), 0, asked.container);
  const [denial] = policy.judge(nodeItself, { ...asked, totals });
  if (!denial) return;
  if (policy.judge(nodeItself, { ...asked, totals: {} }).length === 0) {
    throw failure("exhausted", `the node has no room for another container now: ${denial.message}`);
  }
  policy.decide(nodeItself, { ...asked, totals });
}
