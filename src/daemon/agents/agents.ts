import { create, equals } from "@bufbuild/protobuf";
import { type Agent, type AgentSpec, AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { AgentChangeKind, AgentChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { failure, invalidFields } from "../../base/failure.ts";
import type { Sql } from "../../base/sql.ts";
import type { Engine } from "../engine/index.ts";
import type { Images } from "../images/index.ts";
import type { Journal } from "../journal/index.ts";
import type { Ask } from "../work/index.ts";
import { manifestViolations } from "./check.ts";
import type { Deployed } from "./deployed.ts";
import { bringImage, ownerOf, resolveImage } from "./image.ts";
import { messageOf } from "./message.ts";
import { AgentSchedules } from "./schedules.ts";
import { AgentStore } from "./store.ts";

/** What is known of an agent's tasks, and what is done with them. */
export interface TasksOfAgents {
  countsOf(agent: string): { queued: number; running: number; warm: number; problem: string };
  /** Whether a task has still to be executed by this version. */
  needs(agent: string, version: number): boolean;
  cancelAllOf(agent: string, reason: string, signal: AbortSignal): Promise<number>;
  dropWarm(agent: string, signal: AbortSignal): Promise<void>;
}

export interface AgentsOptions {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  journal: Journal;
  clock: Clock;
  engine: Pick<Engine, "image">;
  images: Pick<Images, "pull" | "used">;
  tasks: () => TasksOfAgents;
  /** Levels of isolation that this node has. */
  isolations: (signal: AbortSignal) => Promise<readonly string[]>;
  /** Whether the node's owner allows such a container. @throws {Failure} denied. */
  decide: (spec: AgentSpec, ask: Ask) => void;
  /** Whether the node can lend what a manifest names. @throws {Failure} not_found, invalid. */
  checkCredentials: (spec: AgentSpec) => Promise<void>;
}

/** The contract: most agents of a node. */
const mostAgents = 1_000;

/** What may be executed on this node. */
export class Agents {
  /** Told when an agent is another than before. */
  readonly changes = new Changes();
  readonly schedules: AgentSchedules;
  readonly #options: AgentsOptions;
  readonly #store: AgentStore;

  private constructor(options: AgentsOptions) {
    this.#options = options;
    this.#store = new AgentStore(options.sql);
    const { journal, clock, sql } = options;
    const tools = { sql, journal, store: this.#store, clock, changes: this.changes };
    this.schedules = new AgentSchedules({ ...tools, all: () => this.all() });
  }

  static open(options: AgentsOptions): Agents {
    return new Agents(options);
  }

  /** The current versions of all, ordered by name. */
  all(): Deployed[] {
    return this.#store.names().flatMap((name) => this.#store.current(name) ?? []);
  }

  /** The current version of one. */
  current(name: string): Deployed | undefined {
    return this.#store.current(name);
  }

  version(name: string, version: number): Deployed | undefined {
    return this.#store.version(name, version);
  }

  /** Names of agents whose current manifest lends a credential. */
  naming(credential: string): string[] {
    const names = ({ spec }: Deployed) => spec.credentials.some((lent) => lent.name === credential);
    return this.all()
      .filter(names)
      .map(({ name }) => name);
  }

  /** By these names the images of agents are kept. */
  imageOwners(): string[] {
    return this.#store.names().map(ownerOf);
  }

  /** Sees to it that the engine has the image of a version. */
  async bringImage(deployed: Deployed, signal: AbortSignal): Promise<void> {
    await bringImage(this.#options, deployed, { signal, progress: () => {} });
  }

  /** Deploys an agent: see the contract. */
  async deploy(spec: AgentSpec, ask: Ask): Promise<{ agent: Agent; changed: boolean }> {
    const { sql, clock } = this.#options;
    const names = this.#store.names();
    if (!names.includes(spec.name) && names.length >= mostAgents) {
      throw failure("exhausted", `this node has ${mostAgents} agents: remove one that nobody needs`);
    }
    await this.check(spec, ask);
    const before = this.#store.current(spec.name);
    if (before && equals(AgentSpecSchema, before.spec, spec)) {
      await bringImage(this.#options, before, ask);
      return { agent: this.get(spec.name), changed: false };
    }
    const resolved = await resolveImage(this.#options, spec, ask);
    ask.signal.throwIfAborted();
    const made = { ...resolved, name: spec.name, spec, deployedAt: clock.now(), actor: ask.actor };
    sql.transaction(() => {
      const { version } = this.#store.add(made, (old) => this.#options.tasks().needs(spec.name, old));
      this.#record(spec.name, AgentChangeKind.DEPLOYED, version, ask.id);
    });
    this.changes.notify();
    return { agent: this.get(spec.name), changed: true };
  }

  /** Makes an earlier version the current one: see the contract. */
  async rollback(name: string, version: number, ask: Ask): Promise<Agent> {
    const current = this.#known(name);
    const wanted =
      version || (this.#store.versions(name).find((one) => one.version < current.version)?.version ?? 0);
    const deployed = this.#store.version(name, wanted);
    if (!deployed) {
      const which = version === 0 ? "no version before the current one" : `no version ${version}`;
      throw failure(
        "not_found",
        `agent ${name} has ${which}: \`orchestrator agent get ${name}\` lists those that are kept`,
      );
    }
    await this.check(deployed.spec, ask);
    await bringImage(this.#options, deployed, ask);
    ask.signal.throwIfAborted();
    if (wanted === current.version) return this.get(name);
    this.#options.sql.transaction(() => {
      this.#store.setCurrent(name, wanted);
      this.#record(name, AgentChangeKind.ROLLED_BACK, wanted, ask.id);
    });
    this.changes.notify();
    return this.get(name);
  }

  /** Removes an agent: see the contract. @returns how many tasks were cancelled for it. */
  async remove(name: string, { cancelTasks }: { cancelTasks: boolean }, ask: Ask): Promise<number> {
    this.#known(name);
    const tasks = this.#options.tasks();
    const { queued, running } = tasks.countsOf(name);
    if (queued + running > 0 && !cancelTasks) {
      const sentence = `agent ${name} has ${queued + running} tasks that are not finished`;
      throw failure("conflict", `${sentence}: wait for them, or ask for them to be cancelled (cancel_tasks)`);
    }
    const cancelled = await tasks.cancelAllOf(name, `its agent ${name} is removed`, ask.signal);
    this.#options.sql.transaction(() => {
      this.#store.remove(name);
      this.#record(name, AgentChangeKind.REMOVED, 0, ask.id);
    });
    this.changes.notify();
    await tasks.dropWarm(name, ask.signal);
    return cancelled;
  }

  /** One agent with all of its versions. @throws {Failure} not_found. */
  get(name: string): Agent {
    return this.#message(this.#known(name), this.#store.versions(name));
  }

  /** All agents, each with its current version only. */
  list(): Agent[] {
    return this.all().map((deployed) => this.#message(deployed, []));
  }

  #message(deployed: Deployed, versions: readonly Deployed[]): Agent {
    const counts = this.#options.tasks().countsOf(deployed.name);
    return messageOf({ ...counts, current: deployed, versions, nextRunAt: this.schedules.nextOf(deployed) });
  }

  /**
   * Whether a node like this can run it, and its owner lets it. Whether its image is there is not asked.
   * @throws {Failure} invalid, denied, not_found, unsupported.
   */
  async check(spec: AgentSpec, ask: Ask): Promise<void> {
    const violations = manifestViolations(spec);
    if (violations.length > 0) throw invalidFields(violations);
    const { decide, checkCredentials, isolations } = this.#options;
    decide(spec, ask);
    await checkCredentials(spec);
    const wanted = spec.isolation || "container";
    const there = await isolations(ask.signal);
    if (there.includes(wanted)) return;
    throw failure("unsupported", `this node has no isolation ${wanted}; it has ${there.join(", ")}`);
  }

  #known(name: string): Deployed {
    const deployed = this.#store.current(name);
    if (!deployed)
      throw failure(
        "not_found",
        `there is no agent ${name}: \`orchestrator agent list\` shows those that there are`,
      );
    return deployed;
  }

  #record(name: string, kind: AgentChangeKind, version: number, commandId: string): void {
    const value = create(AgentChangeSchema, { name, kind, version });
    this.#options.journal.record({ case: "agent", value }, { reason: sentences[kind] ?? "", commandId });
  }
}

const sentences: Partial<Record<AgentChangeKind, string>> = {
  [AgentChangeKind.DEPLOYED]: "a version was deployed",
  [AgentChangeKind.ROLLED_BACK]: "an earlier version was made the current one",
  [AgentChangeKind.REMOVED]: "it was removed",
};
