import { Changes } from "../../base/changes.ts";
import { asFailure, failure } from "../../base/failure.ts";
import { newId } from "../../base/ids.ts";
import type { Deployed } from "../agents/index.ts";
import { type Cell, noInputCode } from "../sandbox/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import { insist } from "./insist.ts";
import { start } from "./make-cell.ts";
import { type Idle, isSame, oldestMs, planPool } from "./pool-plan.ts";

export type PoolTools = Pick<
  AttemptTools,
  "cells" | "clock" | "log" | "random" | "admit" | "bringImage" | "signal"
>;

/** What the pool is told of others. */
interface Surroundings {
  /** Current versions of agents, and when one may have become another. */
  agents: { all(): readonly Deployed[]; changes: Changes };
  /** How many cells there may be beside those that there are. */
  room(): number;
}

interface Waiting extends Idle {
  cell: Cell;
  /** Ends the watch over it: it has been claimed, or is being dropped. */
  watch: AbortController;
}

/** Cells made at once: tasks that need one made for them come first. */
const fillsAtOnce = 2;
/** A task is rarely alone: for so long after the first of them the engine is theirs, and nothing is made ahead, in milliseconds. */
const restMs = 100;
/** Between tries for an agent whose cells end by themselves or cannot be made, in milliseconds: twice as long each time. */
const pauseMs = { first: 1_000, most: 300_000 };

/** Cells that wait for a task, as many as manifests say. */
export class Pool {
  /** Told when a cell was made, claimed or dropped. */
  readonly changes = new Changes();
  readonly #tools: PoolTools;
  readonly #around: Surroundings;
  readonly #waiting = new Map<string, Waiting>();
  readonly #making = new Map<string, Deployed>();
  #rests = false;
  /** What is wrong with an agent's cells. */
  readonly #trouble = new Map<string, { failures: number; notBefore: number; problem: string }>();
  readonly #dropping = new Map<string, Promise<void>>();

  constructor(tools: PoolTools, around: Surroundings) {
    this.#tools = tools;
    this.#around = around;
  }

  /** A cell of this version, which is the caller's alone from now on. */
  claim(deployed: Deployed): Cell | undefined {
    const found = [...this.#waiting.values()].find(({ of }) => isSame(of, deployed));
    if (!found) return undefined;
    // While cells are made one after the other, tasks come all the time: then it does not rest.
    if (this.#making.size === 0 && !this.#rests) this.#rest();
    this.#release(found);
    this.#trouble.delete(deployed.name);
    return found.cell;
  }

  /** How many wait for a task of this agent. */
  countOf(agent: string): number {
    return [...this.#waiting.values()].filter(({ of }) => of.name === agent).length;
  }

  /** How many there are, those that are being made included. */
  get size(): number {
    return this.#waiting.size + this.#making.size;
  }

  /** Whose they are, but for one. */
  allBut(cellId: string): Deployed[] {
    const making = [...this.#making].flatMap(([id, deployed]) => (id === cellId ? [] : deployed));
    return [...[...this.#waiting.values()].map(({ of }) => of), ...making];
  }

  /** Whether a cell is one of the pool's. */
  has(cellId: string): boolean {
    return this.#waiting.has(cellId) || this.#making.has(cellId) || this.#dropping.has(cellId);
  }

  /** Why an agent has fewer than it should; empty when it has not. */
  problemOf(agent: string): string {
    return this.#trouble.get(agent)?.problem ?? "";
  }

  /** Drops the cell that has waited longest, so that a task of another agent has room. @returns whether there was one. */
  async makeRoom(signal: AbortSignal): Promise<boolean> {
    const [oldest] = this.#waiting.values();
    if (!oldest) return false;
    await this.#drop(oldest, signal);
    return true;
  }

  /** Drops all of an agent's. */
  async dropAll(agent: string, signal: AbortSignal): Promise<void> {
    const its = [...this.#waiting.values()].filter(({ of }) => of.name === agent);
    await Promise.all(its.map((one) => this.#drop(one, signal)));
  }

  /** Keeps it filled until the signal is aborted. What waits then is left to be removed by whoever comes next. */
  async run(signal: AbortSignal): Promise<void> {
    const stopListening = this.#around.agents.changes.listen(() => this.changes.notify());
    try {
      for await (const _ of this.changes.wakes(signal)) this.#fill(signal);
    } finally {
      stopListening();
      for (const one of [...this.#waiting.values()]) this.#release(one);
    }
  }

  #rest(): void {
    const { clock, signal } = this.#tools;
    this.#rests = true;
    clock.sleep(restMs, signal).then(
      () => {
        this.#rests = false;
        this.changes.notify();
      },
      () => {}, // The daemon stops.
    );
  }

  #fill(signal: AbortSignal): void {
    const { clock } = this.#tools;
    const now = clock.elapsed();
    const filling = new Map<string, number>();
    for (const { name } of this.#making.values()) filling.set(name, (filling.get(name) ?? 0) + 1);
    const { make, drop } = planPool({
      agents: this.#around.agents.all(),
      idle: [...this.#waiting.values()],
      filling,
      notBefore: new Map([...this.#trouble].map(([name, { notBefore }]) => [name, notBefore])),
      atOnce: this.#rests ? 0 : fillsAtOnce - this.#making.size,
      room: this.#around.room(),
      now,
    });
    for (const { id } of drop) {
      const one = this.#waiting.get(id);
      if (one) this.#drop(one, signal).catch(() => {}); // The daemon stops.
    }
    for (const deployed of make) this.#make(deployed, signal).catch(() => {}); // Likewise.
  }

  async #make(deployed: Deployed, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#tools;
    const id = newId("cell");
    this.#making.set(id, deployed);
    try {
      const cell = await start({ ...this.#tools, signal }, deployed, { cellId: id, commandId: "" });
      const one = { id, of: deployed, madeAt: clock.elapsed(), cell, watch: new AbortController() };
      this.#waiting.set(id, one);
      this.#watch(one, signal).catch(() => {}); // It was claimed or dropped, or the daemon stops.
    } catch (thrown) {
      signal.throwIfAborted();
      if (asFailure(thrown).kind === "internal")
        log.error({ error: thrown }, "a container cannot be made ahead");
      this.#troubled(deployed.name, `a container cannot be made ahead: ${asFailure(thrown).message}`, signal);
    } finally {
      this.#making.delete(id);
      this.changes.notify();
    }
  }

  /** A cell whose program does not wait for its input is no use. One that is old is replaced. */
  async #watch(one: Waiting, signal: AbortSignal): Promise<void> {
    const { cells, clock } = this.#tools;
    const stop = AbortSignal.any([one.watch.signal, signal]);
    clock.sleep(oldestMs, stop).then(
      () => this.changes.notify(),
      () => {}, // It did not get so old.
    );
    const end = await insist({ ...this.#tools, signal: stop }, "watch a container", () =>
      cells.ended(one.cell, stop),
    );
    stop.throwIfAborted();
    if (end.exitCode === noInputCode) return await this.#drop(one, signal); // The engine was away.
    const code = end.exitCode === undefined ? "" : ` with exit code ${end.exitCode}`;
    const problem = `a container that was made ahead ended by itself${code}: its program must wait for its input`;
    this.#troubled(one.of.name, problem, signal);
    await this.#drop(one, signal);
  }

  #troubled(agent: string, problem: string, signal: AbortSignal): void {
    const { clock, log } = this.#tools;
    const failures = (this.#trouble.get(agent)?.failures ?? 0) + 1;
    const waitMs = Math.min(pauseMs.most, pauseMs.first * 2 ** Math.min(failures - 1, 20));
    this.#trouble.set(agent, { failures, problem, notBefore: clock.elapsed() + waitMs });
    log.warn({ agent, problem, waitMs }, "an agent has fewer containers waiting than it should");
    clock.sleep(waitMs, signal).then(
      () => this.changes.notify(),
      () => {}, // The daemon stops.
    );
  }

  #release(one: Waiting): void {
    this.#waiting.delete(one.id);
    one.watch.abort(failure("cancelled", "the container is claimed"));
    this.changes.notify();
  }

  #drop(one: Waiting, signal: AbortSignal): Promise<void> {
    const under = this.#dropping.get(one.id);
    if (under) return under;
    this.#release(one);
    const removing = insist({ ...this.#tools, signal }, "remove a container", () =>
      this.#tools.cells.remove(one.cell, signal),
    ).finally(() => {
      this.#dropping.delete(one.id);
      this.changes.notify();
    });
    this.#dropping.set(one.id, removing);
    return removing;
  }
}
