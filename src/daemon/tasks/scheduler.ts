import { backoffMs } from "../../base/backoff.ts";
import type { Deployed } from "../agents/index.ts";
import type { Attempts } from "./attempts.ts";
import type { Ledger } from "./ledger.ts";
import { nextDueMs, plan } from "./plan.ts";
import type { Pool } from "./pool.ts";
import type { TasksOptions } from "./room.ts";
import type { TaskRecord } from "./task.ts";

interface SchedulerTools
  extends Pick<TasksOptions, "clock" | "log" | "random" | "slots" | "maxCells" | "agents"> {
  ledger: Ledger;
  attempts: Attempts;
  pool: Pool;
}

/** How long nothing is started when the engine could not make a container, in milliseconds. */
const troubleMs = { firstMs: 500, lastMs: 10_000 };

/** Starts tasks as `plan` says: whenever something changed, and when a pause is over. */
export class Scheduler {
  readonly #tools: SchedulerTools;
  readonly #turns = new Map<string, number>();
  /** Tasks that only wait for others, and how many times: their places are lent. */
  readonly #lent = new Map<string, number>();
  #turn = 0;
  #trouble = { count: 0, until: 0 };

  constructor(tools: SchedulerTools) {
    this.#tools = tools;
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, ledger } = this.#tools;
    let alarm = new AbortController();
    for await (const _ of ledger.changes.wakes(signal)) {
      alarm.abort();
      const sleepMs = this.#startOrTell();
      if (sleepMs === undefined) continue;
      alarm = new AbortController();
      clock.sleep(sleepMs, AbortSignal.any([alarm.signal, signal])).then(
        () => ledger.changes.notify(),
        () => {}, // Something changed before.
      );
    }
  }

  /** The engine makes no containers for the moment. */
  onTrouble(): void {
    const { clock, random } = this.#tools;
    const count = this.#trouble.count + 1;
    this.#trouble = { count, until: clock.elapsed() + backoffMs(count, { ...troubleMs, random }) };
  }

  onMade(): void {
    this.#trouble = { count: 0, until: 0 };
  }

  /** While it waits for others, a task's place is theirs: else a tree could wait for itself. */
  async lending<T>(taskId: string, wait: () => Promise<T>): Promise<T> {
    const { changes } = this.#tools.ledger;
    this.#lent.set(taskId, (this.#lent.get(taskId) ?? 0) + 1);
    changes.notify();
    try {
      return await wait();
    } finally {
      const left = (this.#lent.get(taskId) ?? 1) - 1;
      if (left > 0) this.#lent.set(taskId, left);
      else this.#lent.delete(taskId);
      changes.notify();
    }
  }

  /** A disk that cannot be read for the moment ends nothing. */
  #startOrTell(): number | undefined {
    try {
      return this.#start();
    } catch (error) {
      this.#tools.log.error({ error }, "no task can be started for the moment");
      return troubleMs.lastMs;
    }
  }

  /** @returns in how many milliseconds to look again, if nothing changes before. */
  #start(): number | undefined {
    const { clock, ledger, attempts, agents, slots, maxCells } = this.#tools;
    const pausedMs = this.#trouble.until - clock.elapsed();
    if (pausedMs > 0) return pausedMs;
    const queued = [...ledger.open.values()].filter(
      ({ id, state }) => state === "queued" && !attempts.tasks.has(id),
    );
    if (queued.length === 0) return undefined;
    const busy = [...attempts.tasks.keys()].filter((id) => !this.#lent.has(id));
    const busyOf = Map.groupBy(busy, (id) => ledger.open.get(id)?.agent ?? "");
    const starts = plan({
      queued,
      busyOf: (agent) => busyOf.get(agent)?.length ?? 0,
      concurrencyOf: (agent) => Math.max(1, agents.current(agent)?.spec.concurrency ?? 1),
      free: Math.min(slots() - busy.length, maxCells() - attempts.tasks.size),
      turns: this.#turns,
      now: clock.now(),
    });
    for (const task of starts) this.#begin(task);
    return nextDueMs(queued, clock.now());
  }

  #begin(task: TaskRecord): void {
    const { agents, attempts, pool } = this.#tools;
    const deployed: Deployed | undefined = agents.version(task.agent, task.version);
    this.#turns.set(task.agent, ++this.#turn);
    attempts.begin(task, deployed && pool.claim(deployed));
  }
}
