import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import { type Caller, Door } from "../../../gen/edge/v1/policy_pb.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { deadlineIn } from "../../base/deadline.ts";
import { type Failure, failure } from "../../base/failure.ts";
import { Lanes } from "../../base/lanes.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { abortOf } from "../../base/tasks.ts";
import { together } from "../../base/together.ts";
import { checkCommand, isSameAsk, workloadOf } from "../../wire/commands.ts";
import { usualBudgetMs } from "../../wire/limits.ts";
import { tracedNow } from "../../wire/tracing.ts";
import type { Journal } from "../journal/index.ts";
import type { Ask } from "./ask.ts";
import { type Dispatch, failed, type Outcome, outcomeOf, outcomeOfAbort, resultOf } from "./carry-out.ts";
import type { Guard } from "./guard.ts";
import { ProgressBoard } from "./progress.ts";
import { Reads } from "./reads.ts";
import { begun, type Pending, type Running, tellEnd, tooMany, unfinishedLimit } from "./running.ts";
import { CommandStore, callerOf } from "./store.ts";

export interface WorkOptions {
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  dispatch: Dispatch;
  guard: Guard;
}

/** Commands that may wait for one workload. */
const laneLimit = 100;
/** How often the used part of budgets is noted: what a crash forgets of it at most, in milliseconds. */
const noteUsedMs = 10_000;
/** Between attempts to write a result that the disk does not take, in milliseconds. */
const rewriteMs = 2_000;
/** Results between two looks at what can be forgotten. */
const pruneEvery = 200;
/** Accepts commands from every door and carries each out once. */
export class Work implements Disposable {
  readonly progress = new ProgressBoard();
  /** Told when a command has its result. */
  readonly ends = new Changes();
  readonly #sql: Sql;
  readonly #store: CommandStore;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #dispatch: Dispatch;
  readonly #guard: Guard;
  readonly #reads: Reads;
  readonly #lanes = new Lanes(laneLimit);
  readonly #running = new Map<string, Running>();
  readonly #stop = new AbortController();
  #finished = 0;

  constructor({ sql, journal, clock, log, dispatch, guard }: WorkOptions) {
    this.#sql = sql;
    this.#store = new CommandStore(sql);
    this.#journal = journal;
    this.#clock = clock;
    this.#log = log;
    this.#dispatch = dispatch;
    this.#guard = guard;
    this.#reads = new Reads({ clock, log, dispatch, guard });
    this.#keepNoting(this.#stop.signal).catch(() => {}); // Only the closing ends it.
  }

  /** Highest sequence number of a command of the hub that is on disk. */
  get lastSequence(): number {
    return this.#store.lastSequence;
  }

  /** Commands that have no result yet. */
  get unfinished(): number {
    return this.#running.size;
  }

  /**
   * Accepts a command of the hub: on disk when this returns, and running. One that is known already is not run again; if the
   * hub has no way left to learn its result, it is reported again.
   * @throws {Failure} exhausted, unavailable: the disk does not take it; it is as if it had not come.
   */
  accept(sequence: number, command: Command): void {
    tracedNow("accept", { parent: command.traceparent, kind: "server" }, () =>
      this.#accept(sequence, command),
    );
  }

  #accept(sequence: number, command: Command): void {
    const known = this.#store.get(command.id);
    const caller = callerOf(Door.HUB, command);
    const verdict = known ? undefined : tracedNow("policy", {}, () => this.#guard.judge(command, caller));
    this.#sql.transaction(() => {
      if (sequence > this.#store.lastSequence) this.#store.lastSequence = sequence;
      verdict?.note();
      if (!known) this.#store.add(command, true, caller);
      else if (!known.fromHub) this.#store.nowFromHub(command.id);
      if (known?.result && !this.#journal.holds(known.reportSequence)) {
        const again = this.#journal.append({ case: "result", value: known.result });
        this.#store.reportedAgain(command.id, again);
      }
    });
    const running = this.#running.get(command.id);
    if (running) running.fromHub = true;
    else if (!known) this.#start({ command, caller, fromHub: true, usedMs: 0 }, verdict?.why);
  }

  /**
   * Carries out a command of a caller at this node and waits for its result. The same id again gets the same result. The signal ends
   * the waiting, not the command.
   * @throws {Failure} conflict: the id belongs to another command. exhausted: too many are unfinished.
   */
  async call(command: Command, caller: Caller, signal: AbortSignal): Promise<Result> {
    checkCommand(command, "this node");
    const known = this.#store.get(command.id);
    if (known && !isSameAsk(known.command, command)) {
      throw failure("conflict", `the command id ${command.id} belongs to another command: choose a new one`);
    }
    if (known?.result) return known.result;
    // Asked for twice in one turn, it is known now.
    if (!known && !(await this.#begin(command, caller))) return await this.call(command, caller, signal);
    const running = this.#running.get(command.id);
    if (!running) throw failure("unavailable", "the daemon stops: ask again when it is back");
    using left = abortOf(signal);
    const result = await Promise.race([running.result.promise, left.promise]);
    if (!result) throw signal.reason;
    return result;
  }

  /** Answers a read. Nothing of it is kept. */
  read(command: Command, caller: Caller, signal: AbortSignal): Promise<Result> {
    return this.#reads.answer(command, caller, signal);
  }

  /** Whether whoever asked has its result: the caller at the local door got it, or it is on the hub's disk. */
  isTold(id: string): boolean {
    const known = this.#store.get(id);
    if (!known) return true; // Forgotten, which only what was told is.
    return known.result !== undefined && !(known.fromHub && this.#journal.holds(known.reportSequence));
  }

  /** Calls a command off. One that is finished or not known stays as it is. */
  cancel(id: string): void {
    this.#running.get(id)?.abort.abort(failure("cancelled", "the command was called off"));
  }

  /**
   * Takes up what earlier lives of the daemon accepted and did not finish, in order. What is not allowed any more is answered
   * so. @returns how many.
   */
  resume(): number {
    const unfinished = this.#store.unfinished();
    for (const accepted of unfinished) {
      const { why, note } = this.#guard.judge(accepted.command, accepted.caller);
      if (why) note(); // What is still allowed was noted when it came.
      this.#start(accepted, why);
    }
    return unfinished.length;
  }

  /**
   * Lets go of what is running: it is not answered, because nobody called it off, and the next start takes it up again. Handlers
   * that still wait for something are told to end, or the process would wait with them. Call it when the rooms have stopped, so that
   * none of them undoes what it did, and before the state file is closed.
   */
  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#noteUsed();
    const stops = failure("unavailable", "the daemon stops; the command goes on when it is back");
    for (const { result, abort } of this.#running.values()) {
      result.reject(stops);
      abort.abort(stops);
    }
    this.#running.clear();
  }

  /** Keeps a command of a caller at this node, and starts it. @returns false when it is kept already. */
  async #begin(command: Command, caller: Caller): Promise<boolean> {
    if (this.#running.size >= unfinishedLimit) throw tooMany();
    const { why, note } = this.#guard.judge(command, caller);
    const isNew = await together(this.#sql, () => {
      if (this.#store.get(command.id)) return false;
      note();
      this.#store.add(command, false, caller);
      return true;
    });
    if (isNew && !this.#stop.signal.aborted) this.#start({ command, caller, fromHub: false, usedMs: 0 }, why);
    return isNew;
  }

  #start(pending: Pending, denied: Failure | undefined): void {
    const refused = denied ?? (this.#running.size >= unfinishedLimit ? tooMany() : undefined);
    const running = begun(pending, this.#clock.elapsed());
    const { command } = running;
    this.#running.set(command.id, running);
    const settled = refused
      ? this.#answer(running, resultOf(command, failed(refused), 0, this.#clock))
      : this.#carryOut(running);
    settled.catch((error: unknown) => {
      this.#log.fatal({ command: command.id, error }, "a command's result could not be told");
    });
  }

  async #carryOut(running: Running): Promise<void> {
    const { command, caller, abort } = running;
    const said = command.budgetMs || usualBudgetMs(command.request.value);
    const budgetMs = Math.max(0, said - running.usedBeforeMs);
    const late = () => failure("deadline", `the command was not done within its budget of ${said} ms`);
    using deadline = deadlineIn(budgetMs, late, this.#clock, this.#stop.signal);
    const signal = AbortSignal.any([abort.signal, deadline.signal]);
    const ask: Ask = {
      id: command.id,
      actor: command.actor,
      caller,
      signal,
      progress: (...told) => this.progress.put(command.id, ...told),
    };
    const workload = workloadOf(command);
    const conclude = (outcome: Outcome) => {
      running.answer ??= this.#conclude(running, outcome);
      return running.answer;
    };
    // A lane is left with the result on disk: else a crash would do this command again, after the next one.
    const attempt = async (letOthers: () => void = () => {}) => {
      // The one before may have left the lane without a result, because the daemon stops: both go on in its next life, in order.
      if (this.#stop.signal.aborted) return;
      const handlers = { dispatch: this.#dispatch, log: this.#log };
      await conclude(await outcomeOf(command, { ...ask, letOthers }, handlers));
    };
    // The race ends a command that still waits for its turn, too; its turn then passes at once.
    using end = abortOf(signal);
    await Promise.race([
      workload === undefined
        ? attempt()
        : this.#lanes.run(workload, attempt).catch((thrown: unknown) => conclude(failed(thrown))),
      end.promise.then(() => outcomeOfAbort(signal)).then(conclude),
    ]);
  }

  async #conclude(running: Running, outcome: Outcome): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const took = this.#clock.elapsed() - running.startedAt + running.usedBeforeMs;
    await this.#answer(running, resultOf(running.command, outcome, took, this.#clock));
  }

  /** Writes the result and tells it. A disk that does not take it is asked again until it does, or the daemon stops. */
  async #answer(running: Running, result: Result): Promise<void> {
    const { id } = running.command;
    for (let isKept = false; !isKept; ) {
      if (this.#stop.signal.aborted) return;
      try {
        await together(this.#sql, () => this.#keep(running, result));
        isKept = true;
      } catch (error) {
        this.#log.error({ command: id, error }, "a result cannot be written; trying again");
        await this.#clock.sleep(rewriteMs, this.#stop.signal).catch(() => {});
      }
    }
    this.#running.delete(id);
    this.progress.forget(id);
    running.result.resolve(result);
    this.ends.notify();
    tellEnd(this.#log, running.command, result);
  }

  #keep(running: Running, result: Result): void {
    const { command, caller } = running;
    const { id } = command;
    this.#guard.ended(command, caller, result);
    const sequence = running.fromHub ? this.#journal.append({ case: "result", value: result }) : 0;
    this.#store.finish(id, result, sequence, this.#clock.now());
    if (++this.#finished % pruneEvery === 0) this.#store.prune(this.#clock.now());
  }

  async #keepNoting(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(noteUsedMs, signal);
      this.#noteUsed();
    }
  }

  #noteUsed(): void {
    for (const { command, startedAt, usedBeforeMs } of this.#running.values()) {
      try {
        this.#store.used(command.id, this.#clock.elapsed() - startedAt + usedBeforeMs);
      } catch (error) {
        this.#log.warn({ command: command.id, error }, "the used part of a budget cannot be noted");
      }
    }
  }
}
