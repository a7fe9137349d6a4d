import {
  type ExecuteTaskRequest,
  type GetTaskLogsRequest,
  type GetTaskLogsResponse,
  type GetTaskRequest,
  type ListTasksRequest,
  type Task,
  TaskPriority,
} from "../../../gen/edge/v1/tasks_pb.ts";
import { failure } from "../../base/failure.ts";
import { runTasks } from "../../base/tasks.ts";
import type { Deployed } from "../agents/index.ts";
import type { Ask } from "../work/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import { Attempts } from "./attempts.ts";
import type { TreeTasks } from "./broker-tasks.ts";
import { keepSchedules } from "./by-schedule.ts";
import { cancelTree } from "./cancel.ts";
import { answerOf } from "./kept-log.ts";
import { Ledger } from "./ledger.ts";
import { messageOf, statesOf } from "./message.ts";
import { keepTask, mustHaveRoom, newTask } from "./new-task.ts";
import { Pool } from "./pool.ts";
import { recover, requeueStarting, sweep } from "./recover.ts";
import type { TasksOptions } from "./room.ts";
import { Scheduler } from "./scheduler.ts";
import type { TaskRecord } from "./task.ts";
import { Tree } from "./tree.ts";
import { until, untilSettled } from "./waiting.ts";

/** The most of an output that one answer carries, in bytes. The contract says so. */
const answerBytes = 512 << 10;
/** The contract's most tasks of a list that does not say. */
const usualListed = 100;
/** Runs of one agent's schedule that may wait: a slow program does not fill the queue. */
const scheduledWaiting = 100;

/** Executions of agents: kept, started when it is their turn, and seen through to one final state. */
export class Tasks {
  /** Parents and children, for the broker. */
  readonly tree: TreeTasks;
  readonly #options: TasksOptions;
  readonly #ledger: Ledger;
  readonly #attempts: Attempts;
  readonly #scheduler: Scheduler;
  readonly #pool: Pool;
  readonly #tools: AttemptTools;
  /** Lets go of all attempts. */
  readonly #end = new AbortController();

  private constructor(options: TasksOptions) {
    const { sql, journal, clock, log, random, cells, adopt, agents, kept, machineTime } = options;
    this.#options = options;
    this.#ledger = new Ledger({ sql, journal, kept, now: clock.now });
    requeueStarting(this.#ledger);
    this.#tools = {
      ...{ ledger: this.#ledger, cells, adopt, clock, log, random, machineTime },
      signal: this.#end.signal,
      version: (name, version) => agents.version(name, version),
      bringImage: (deployed, signal) => agents.bringImage(deployed, signal),
      admit: (...asked) => this.#admit(...asked),
      onTrouble: () => this.#scheduler.onTrouble(),
      onMade: () => this.#scheduler.onMade(),
    };
    this.#attempts = new Attempts(this.#tools);
    this.#pool = new Pool(this.#tools, { agents, room: () => this.#room() });
    this.#scheduler = new Scheduler({
      ...{ ...options, ledger: this.#ledger, attempts: this.#attempts, pool: this.#pool },
    });
    this.tree = new Tree({
      ...{ options, ledger: this.#ledger, attempts: this.#attempts, scheduler: this.#scheduler },
    });
  }

  static open(options: TasksOptions): Tasks {
    return new Tasks(options);
  }

  /** Executes tasks until the signal is aborted; what runs then runs on, and is taken up by the next life of the daemon. */
  async run(signal: AbortSignal): Promise<void> {
    const { agents, clock, log } = this.#options;
    signal.addEventListener("abort", () => this.#end.abort(signal.reason), { once: true });
    if (signal.aborted) this.#end.abort(signal.reason);
    await runTasks(
      signal,
      async (stop) => {
        await recover({ ...this.#tools, signal: stop }, this.#attempts);
        await runTasks(
          stop,
          (all) => this.#scheduler.run(all),
          (all) => this.#pool.run(all),
          (all) => sweep({ ...this.#tools, signal: all }, (cellId) => this.#owns(cellId)),
        );
      },
      (stop) =>
        keepSchedules(
          { schedules: agents.schedules, clock, log, execute: (...run) => this.#executeByTime(...run) },
          stop,
        ),
    );
    await this.#attempts.idle();
  }

  /** Executes an agent: see the contract. The same id again is the same task. */
  async execute(
    request: ExecuteTaskRequest,
    { id, actor, signal }: Pick<Ask, "id" | "actor" | "signal">,
  ): Promise<{ task: Task; output: Uint8Array }> {
    const known = () => this.#ledger.get(id);
    const keep = () => known() ?? this.#keep(request, { id, actor, cause: "command" });
    const task = known() ?? (await this.#ledger.soon(keep));
    if (!request.wait) return { task: messageOf(task), output: new Uint8Array() };
    await until(this.#ledger, signal, () => !this.#ledger.open.has(id));
    return {
      task: this.#message(id),
      output: this.#ledger.store.blob(id, "output").subarray(0, answerBytes),
    };
  }

  /** One task, with its output if it is asked for. @throws {Failure} not_found. */
  get({ id, withOutput, outputOffset }: GetTaskRequest): { task: Task; output: Uint8Array } {
    const task = this.#find(id);
    const output = withOutput ? this.#ledger.store.blob(task.id, "output") : new Uint8Array();
    return { task: messageOf(task), output: output.subarray(outputOffset, outputOffset + answerBytes) };
  }

  /** Newest first. */
  list({ agent, states, parentId, limit, beforeId }: ListTasksRequest): Task[] {
    const filter = {
      agent,
      states: statesOf(states),
      belowId: parentId,
      beforeId,
      limit: limit || usualListed,
    };
    return this.#ledger.store.list(filter).map(messageOf);
  }

  /** Cancels a task and all below it; see the contract. */
  async cancel(
    beginning: string,
    reason: string,
    signal: AbortSignal,
  ): Promise<{ task: Task; cancelled: number }> {
    const { id } = this.#find(beginning);
    const ending = cancelTree(this.#ledger, this.#attempts, id, reason || "it was cancelled");
    const ids = ending.map((task) => task.id);
    await untilSettled(this.#ledger, this.#attempts, ids, signal);
    const cancelled = ending.filter((task) => this.#ledger.get(task.id)?.state === "cancelled").length;
    return { task: this.#message(id), cancelled };
  }

  /** Cancels all of an agent's tasks that are not finished. @returns how many. */
  async cancelAllOf(agent: string, reason: string, signal: AbortSignal): Promise<number> {
    const its = [...this.#ledger.open.values()].filter((task) => task.agent === agent);
    const ending = its.flatMap(({ id }) => cancelTree(this.#ledger, this.#attempts, id, reason));
    const ids = new Set(ending.map(({ id }) => id));
    await untilSettled(this.#ledger, this.#attempts, [...ids], signal);
    return ids.size;
  }

  /** The newest lines that a task wrote; see the contract. */
  async logs(request: GetTaskLogsRequest, signal: AbortSignal): Promise<GetTaskLogsResponse> {
    const task = this.#find(request.id);
    const { cellId, containerId, agent, version } = task;
    const none = { lines: [], leftOut: false };
    const cell = { id: cellId, containerId, agent, version };
    const now = containerId === "" ? none : await this.#options.cells.logs(cell, signal);
    return answerOf(this.#ledger.store.blob(task.id, "log"), now, request);
  }

  /** Whether a task is known, and not finished. */
  isUnfinished(id: string): boolean {
    return this.#ledger.open.has(id);
  }

  /** The id of the task that a cell is of: also of one that is finished, until its cell is gone. */
  idOfCell(cellId: string): string | undefined {
    const finished = () => this.#ledger.store.withCell().find((task) => task.cellId === cellId);
    return this.tree.taskOfCell(cellId)?.id ?? finished()?.id;
  }

  /** What there is of an agent now. */
  countsOf(agent: string): { queued: number; running: number; warm: number; problem: string } {
    const its = [...this.#ledger.open.values()].filter((task) => task.agent === agent);
    const queued = its.filter(({ state }) => state === "queued").length;
    const problem = this.#pool.problemOf(agent);
    return { queued, running: its.length - queued, warm: this.#pool.countOf(agent), problem };
  }

  /** Whether a task has still to be executed by this version of an agent. */
  needs(agent: string, version: number): boolean {
    return [...this.#ledger.open.values()].some((task) => task.agent === agent && task.version === version);
  }

  /** Removes containers of an agent that wait for a task. */
  async dropWarm(agent: string, signal: AbortSignal): Promise<void> {
    await this.#pool.dropAll(agent, signal);
  }

  /** Whose containers there are, those that wait or are being made included, but for one. */
  cells(exceptId = ""): Deployed[] {
    const { agents } = this.#options;
    const ofTasks = [...this.#attempts.tasks].flatMap(([id, { claimedId }]) => {
      const task = this.#ledger.get(id);
      const cellId = task?.cellId || claimedId;
      if (!task || cellId === "" || cellId === exceptId) return [];
      return agents.version(task.agent, task.version) ?? [];
    });
    return [...ofTasks, ...this.#pool.allBut(exceptId)];
  }

  #keep(
    request: ExecuteTaskRequest,
    { id, actor, cause }: Pick<TaskRecord, "id" | "actor" | "cause">,
  ): TaskRecord {
    const { agents, clock } = this.#options;
    const { agent, version, input } = request;
    const deployed = version === 0 ? agents.current(agent) : agents.version(agent, version);
    if (!deployed) {
      throw failure(
        "not_found",
        version === 0 ? `there is no agent ${agent}` : `agent ${agent} has no version ${version}`,
      );
    }
    const task = newTask(deployed, request, { id, actor, cause, queuedAt: clock.now() });
    mustHaveRoom(this.#ledger, this.#options, input.length);
    return keepTask(this.#ledger, task, input);
  }

  #executeByTime(deployed: Deployed, id: string): void {
    const { clock, log } = this.#options;
    const { name, spec } = deployed;
    if (this.#ledger.get(id)) return;
    const waiting = [...this.#ledger.open.values()].filter(
      (task) => task.agent === name && task.cause === "schedule" && task.state === "queued",
    );
    if (waiting.length >= scheduledWaiting) {
      log.warn({ agent: name }, "a time of a schedule is left out: too many of it wait");
      return;
    }
    const input = spec.schedule?.input ?? new Uint8Array();
    mustHaveRoom(this.#ledger, this.#options, input.length);
    const asked = { input, priority: TaskPriority.NORMAL, after: [], wallTimeMs: 0, labels: [] };
    const origin = { id, actor: "schedule", cause: "schedule", queuedAt: clock.now() } as const;
    keepTask(this.#ledger, newTask(deployed, asked, origin), input);
  }

  /** @throws {Failure} not_found, and invalid when several begin so. */
  #find(beginning: string): TaskRecord {
    const exact = this.#ledger.get(beginning);
    if (exact) return exact;
    const [task, other] = this.#ledger.store.beginningWith(beginning);
    if (!task)
      throw failure(
        "not_found",
        `there is no task ${beginning}: the oldest are forgotten, see \`tasks.kept\``,
      );
    if (other) throw failure("invalid", `several tasks begin with ${beginning}: say more of the id`);
    return task;
  }

  #message(id: string): Task {
    const task = this.#ledger.get(id);
    if (!task) throw failure("not_found", `task ${id} is finished, and forgotten already`);
    return messageOf(task);
  }

  /** How many cells may be made beside those that there are, and those that tasks are about to have. */
  #room(): number {
    return this.#options.maxCells() - this.#attempts.tasks.size - this.#pool.size;
  }

  /** Before a container is made. One that waits for a task of another agent makes room for one that has a task. */
  async #admit(deployed: Deployed, cellId: string, signal: AbortSignal): Promise<void> {
    while (this.#room() < 0) if (!(await this.#pool.makeRoom(signal))) break;
    this.#options.judge(deployed, this.cells(cellId));
  }

  #owns(cellId: string): boolean {
    if (this.#pool.has(cellId)) return true;
    return [...this.#attempts.tasks].some(
      ([id, { claimedId }]) => claimedId === cellId || this.#ledger.get(id)?.cellId === cellId,
    );
  }
}
