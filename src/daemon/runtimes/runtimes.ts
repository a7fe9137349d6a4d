import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RuntimeStatus } from "../../../gen/edge/v1/control_pb.ts";
import type { Failure as FailureMessage } from "../../../gen/edge/v1/failure_pb.ts";
import type { Engine as EngineInfo, Sample } from "../../../gen/edge/v1/node_pb.ts";
import {
  DesiredState,
  type FieldChange,
  type GetRuntimeLogsRequest,
  type GetRuntimeLogsResponseSchema,
  type Runtime,
  RuntimePhase,
  type RuntimeSpec,
  type RuntimeStatsSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import type { ApplyWishesRequest } from "../../../gen/edge/v1/wishes_pb.ts";
import type { Changes } from "../../base/changes.ts";
import type { Failure } from "../../base/failure.ts";
import { runTasks } from "../../base/tasks.ts";
import { toFailureMessage } from "../../wire/failures.ts";
import { ownObjects } from "../engine/index.ts";
import type { Asker } from "../wishes/index.ts";
import type { Ask } from "../work/index.ts";
import { type Applied, applyWishes, planNow } from "./apply-wishes.ts";
import * as commands from "./commands.ts";
import type { Override } from "./locked.ts";
import { openParts, type RuntimesOptions } from "./parts.ts";
import type { Plan, Wishes } from "./plan-wishes.ts";
import { nameOf, purge } from "./purge.ts";
import type { Readers } from "./readers.ts";
import { type UpdateOptions, update } from "./update.ts";

/** What should run on this node, what runs, and the loop that closes the gap. */
export class Runtimes implements AsyncDisposable {
  readonly #room: commands.Room;
  readonly #readers: Readers;
  #closed: Failure | undefined;

  private constructor(options: RuntimesOptions) {
    const { room, readers } = openParts(options, () => this.#closed);
    this.#room = room;
    this.#readers = readers;
  }

  static open(options: RuntimesOptions): Runtimes {
    return new Runtimes(options);
  }

  /** Closes the gap for as long as the signal lets it. An engine that is away ends nothing. Ended once, it stays ended. */
  async run(signal: AbortSignal): Promise<void> {
    await runTasks(
      signal,
      (all) => this.#room.loop.run(all),
      (all) => this.#room.locks.run(all, (name) => this.has(name)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#room.loop[Symbol.asyncDispose]();
    this.#room.locks[Symbol.dispose]();
  }

  /** Told when `status` may have changed. */
  get changes(): Changes {
    return this.#room.loop.changes;
  }

  /** Creates a runtime and waits until it runs; see the contract. @returns whether this command made it. */
  async create(spec: RuntimeSpec, ask: Ask): Promise<{ runtime: Runtime; created: boolean }> {
    const { created } = await this.#room.turns.run(spec.name, ask, () =>
      commands.create(this.#room, spec, ask),
    );
    return { runtime: this.#readers.known(spec.name), created };
  }

  /** Starts a runtime and waits until it runs; see the contract, as for all that follow. */
  async start(name: string, ask: Ask): Promise<Runtime> {
    await this.#room.turns.run(name, ask, () => commands.start(this.#room, name, ask));
    return this.#readers.known(name);
  }

  async stop(name: string, ask: Ask, override: Override = {}): Promise<Runtime> {
    await this.#room.turns.run(name, ask, () => commands.stop(this.#room, name, override, ask));
    return this.#readers.known(name);
  }

  async restart(name: string, ask: Ask, override: Override = {}): Promise<Runtime> {
    await this.#room.turns.run(name, ask, () => commands.restart(this.#room, name, override, ask));
    return this.#readers.known(name);
  }

  /** Makes a runtime what another wish says. @returns what was changed, and whether its program was stopped and started. */
  async update(
    spec: RuntimeSpec,
    how: UpdateOptions,
    ask: Ask,
  ): Promise<{ runtime: Runtime; changes: FieldChange[]; interrupted: boolean }> {
    const updated = await this.#room.turns.run(spec.name, ask, (own) => update(this.#room, spec, how, own));
    return { runtime: this.#readers.known(spec.name), ...updated };
  }

  /** All wishes, each with whether it is to run: applied again, they change nothing. */
  wished(): RuntimeSpec[] {
    return this.#room.store.list().flatMap(({ spec, desired }) => {
      if (desired === "absent") return [];
      return [{ ...spec, desired: desired === "stopped" ? DesiredState.STOPPED : DesiredState.RUNNING }];
    });
  }

  /** What `applyWishes` would do: see the contract. */
  planWishes(wishes: Wishes, asker?: Asker): Plan[] {
    return planNow(this.#room, wishes, asker);
  }

  /** Makes the runtimes what the wishes say, and tells what became of each: see the contract. */
  async applyWishes(request: ApplyWishesRequest, ask: Ask): Promise<Applied[]> {
    return await applyWishes(this.#room, request, ask);
  }

  async lock(
    name: string,
    { reason = "", forMs = 0 }: { reason?: string; forMs?: number },
    ask: Ask,
  ): Promise<Runtime> {
    await this.#room.turns.run(name, ask, () => commands.lock(this.#room, { name, reason, forMs }, ask));
    return this.#readers.known(name);
  }

  async unlock(name: string, ask: Ask): Promise<Runtime> {
    await this.#room.turns.run(name, ask, () => commands.unlock(this.#room, name, ask));
    return this.#readers.known(name);
  }

  /** @returns the names of the engine's objects that were removed. */
  async delete(name: string, how: Override & { keepVolume: boolean }, ask: Ask): Promise<readonly string[]> {
    return await this.#room.turns.run(name, ask, () => commands.remove(this.#room, { name, ...how }, ask));
  }

  /** One runtime, as the engine tells now. @throws {Failure} not_found. */
  async get(name: string, signal: AbortSignal): Promise<Runtime> {
    return await this.#readers.get(name, signal);
  }

  /** All runtimes by name, as the engine tells now. */
  async list(signal: AbortSignal): Promise<Runtime[]> {
    return await this.#readers.list(signal);
  }

  /** Whether a runtime of this name is wished for. */
  has(name: string): boolean {
    return this.#room.store.get(name) !== undefined;
  }

  /** The names of all runtimes. */
  names(): string[] {
    return this.#room.store.list().map(({ name }) => name);
  }

  /** From now on no runtime is created or changed, for this reason; undefined opens it again. */
  close(why: Failure | undefined): void {
    this.#closed = why;
  }

  /** What of the engine's objects is this daemon's, as `container/...`. @throws {Failure} unavailable. */
  async objects(signal: AbortSignal): Promise<string[]> {
    const found = await ownObjects(this.#room.engine, this.#room.store.instanceId, signal);
    return found.map(nameOf);
  }

  /** Removes every runtime and whatever else on the engine is this daemon's: see `purge`. */
  async purge(ask: Ask, onFound: (names: readonly string[]) => void): Promise<void> {
    await purge(this.#room, ask, onFound);
  }

  /** What is, as it was seen last. Asks nobody. */
  status(): { runtimes: RuntimeStatus[]; engineReachable: boolean; problem?: FailureMessage } {
    const { away } = this.#readers;
    return {
      runtimes: this.#readers.statuses(),
      engineReachable: this.#room.loop.engine.at === "there",
      ...(away && { problem: toFailureMessage(away) }),
    };
  }

  /** The names of those that run, as the daemon sees them now. */
  running(): string[] {
    return this.#readers
      .statuses()
      .flatMap(({ name, phase }) => (phase === RuntimePhase.RUNNING ? name : []));
  }

  /** Equal for equal wishes: a hub that knows it need not ask for them again. */
  wishesHash(): string {
    return this.#readers.wishesHash();
  }

  /** The engine, asked now. One that cannot be asked is an answer, too. */
  async engineInfo(signal: AbortSignal): Promise<EngineInfo> {
    return await this.#readers.engineInfo(signal);
  }

  /** What each running runtime uses, by its name. @throws {Failure} unavailable. */
  async stats(signal: AbortSignal): Promise<Map<string, Sample>> {
    return await this.#readers.stats(signal);
  }

  /** What runtimes of these names use, or all: see the contract. */
  async statsNow(
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof RuntimeStatsSchema>[]> {
    return await this.#readers.statsNow(names, signal);
  }

  /** The newest lines that a runtime wrote: see the contract. */
  async logs(
    request: GetRuntimeLogsRequest,
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof GetRuntimeLogsResponseSchema>> {
    return await this.#readers.logs(request, signal);
  }
}
