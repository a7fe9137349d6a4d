import { createHash } from "node:crypto";
import { type MessageInitShape, create as message } from "@bufbuild/protobuf";
import type { RuntimeStatus } from "../../../gen/edge/v1/control_pb.ts";
import { type Engine as EngineInfo, EngineSchema, type Sample } from "../../../gen/edge/v1/node_pb.ts";
import type {
  GetRuntimeLogsRequest,
  GetRuntimeLogsResponseSchema,
  Runtime,
  RuntimeStatsSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import { type Engine, nothing, type Observed } from "../engine/index.ts";
import type { Locks } from "../locks/index.ts";
import { Logs } from "../logs/index.ts";
import type { Network } from "../network/index.ts";
import { Stats } from "../usage/index.ts";
import type { Store, Wish } from "../wishes/index.ts";
import { theWish } from "./commands.ts";
import { type Figures, figuresForHistory, figuresNow } from "./figures.ts";
import { locksNow } from "./locked.ts";
import type { Loop } from "./loop.ts";
import { shown, toRuntime, toStatus } from "./message.ts";
import { type Known, phaseOf } from "./phase.ts";
import type { Ground } from "./plan.ts";

interface ReadersOptions {
  engine: Engine;
  store: Store;
  loop: Loop;
  clock: Clock;
  network: Pick<Network, "netmon" | "macOf">;
  locks: Pick<Locks, "of">;
  ground: Ground;
}

/** What runtimes are, for whoever asks: as the engine tells now, or as the loop saw them last. Nothing is changed here. */
export class Readers {
  readonly #options: ReadersOptions;
  readonly #figures: Figures;
  readonly #logs: Logs;

  constructor(options: ReadersOptions) {
    const { engine, clock } = options;
    this.#options = options;
    this.#figures = { ...options, stats: new Stats(engine, clock) };
    this.#logs = new Logs(engine);
  }

  /** Why the engine cannot be asked, as far as the loop knows. */
  get away(): Failure | undefined {
    const { engine } = this.#options.loop;
    return engine.at === "away" ? engine.problem : undefined;
  }

  /** One runtime, as the engine tells now. @throws {Failure} not_found. */
  async get(name: string, signal: AbortSignal): Promise<Runtime> {
    const wish = theWish(this.#options.store, name);
    const { seen, away } = await this.#look(name, signal);
    return this.#toRuntime(wish, seen?.get(name) ?? nothing, away);
  }

  /** All runtimes by name, as the engine tells now. */
  async list(signal: AbortSignal): Promise<Runtime[]> {
    const { seen, away } = await this.#look(undefined, signal);
    return this.#options.store
      .list()
      .map((wish) => this.#toRuntime(wish, seen?.get(wish.name) ?? nothing, away));
  }

  /** A runtime as the loop saw it last: just now, for a command that waited for it. */
  known(name: string): Runtime {
    const { store, loop } = this.#options;
    return this.#toRuntime(theWish(store, name), loop.tended(name).seen, this.away);
  }

  /** All runtimes in short, as the loop saw them last. Asks nobody. */
  statuses(): RuntimeStatus[] {
    const { store, loop, ground } = this.#options;
    const { away } = this;
    return store.list().map((wish) => {
      // It is told when something changes: how far a pull is would be out of date at once.
      const known = { ...this.#knownOf(wish, away), far: "" };
      return toStatus(wish, loop.tended(wish.name).seen, known, ground);
    });
  }

  /** Equal for equal wishes. */
  wishesHash(): string {
    const hash = createHash("sha256");
    for (const { name, specHash, desired, probation } of this.#options.store.list()) {
      hash.update(`${name} ${specHash} ${desired} ${probation?.commandId ?? ""}\n`);
    }
    return hash.digest("hex");
  }

  /** The engine, asked now. One that cannot be asked is an answer, too. */
  async engineInfo(signal: AbortSignal): Promise<EngineInfo> {
    const { engine } = this.#options;
    const { host } = engine;
    try {
      const { version, api } = await engine.version(signal);
      const storageDriver = await engine.storageDriver(signal);
      return message(EngineSchema, { reachable: true, version, apiVersion: api, storageDriver, host });
    } catch (thrown) {
      signal.throwIfAborted();
      return message(EngineSchema, { reachable: false, problem: asFailure(thrown).message, host });
    }
  }

  /** What each running runtime uses, by its name. @throws {Failure} unavailable. */
  async stats(signal: AbortSignal): Promise<Map<string, Sample>> {
    return await figuresForHistory(this.#figures, signal);
  }

  /** What runtimes of these names use, or all: see the contract. */
  async statsNow(
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof RuntimeStatsSchema>[]> {
    const { loop, ground } = this.#options;
    const { away } = this;
    const phase = (wish: Wish) =>
      phaseOf(wish, shown(wish, loop.tended(wish.name).seen, ground), this.#knownOf(wish, away)).phase;
    return await figuresNow(this.#figures, names, { away, phaseOf: phase }, signal);
  }

  /** The newest lines that a runtime wrote: see the contract. */
  async logs(
    request: GetRuntimeLogsRequest,
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof GetRuntimeLogsResponseSchema>> {
    const { store, ground } = this.#options;
    const { name } = request;
    const wish = theWish(store, name);
    const { seen, away } = await this.#look(name, signal);
    if (away) throw away;
    const container = shown(wish, seen?.get(name), ground);
    if (container) return await this.#logs.read(container, request, signal);
    throw failure("not_found", `runtime ${name} has no container now, and so no log: ask why it has none`);
  }

  /** When the engine is known to be away it is not asked: the loop finds out when it is back. */
  async #look(
    name: string | undefined,
    signal: AbortSignal,
  ): Promise<{ seen?: Map<string, Observed>; away?: Failure }> {
    const { engine, ground } = this.#options;
    const { away } = this;
    if (away) return { away };
    try {
      return { seen: await engine.look(ground.instanceId, name, signal) };
    } catch (thrown) {
      signal.throwIfAborted();
      return { away: asFailure(thrown) };
    }
  }

  #toRuntime(wish: Wish, seen: Observed | undefined, away: Failure | undefined): Runtime {
    return toRuntime(wish, seen, this.#knownOf(wish, away), this.#options.ground);
  }

  #knownOf(wish: Wish, away: Failure | undefined): Known {
    const { loop, locks, network } = this.#options;
    const { seen, doing, far, problem, unplugged, pause, waitsFor, judged } = loop.tended(wish.name);
    const macOf: Known["lan"]["macOf"] = (runtime, vnic) => network.macOf(runtime, vnic);
    const lan = { netmon: network.netmon, unplugged: unplugged?.problem, macOf };
    return { away, doing, far, problem, pause, waitsFor, judged, lan, locks: locksNow(locks, wish, seen) };
  }
}
