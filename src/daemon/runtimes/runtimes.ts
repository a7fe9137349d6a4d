import { createHash } from "node:crypto";
import { type MessageInitShape, create as message } from "@bufbuild/protobuf";
import type { RuntimeStatus } from "../../../gen/edge/v1/control_pb.ts";
import type { Failure as FailureMessage } from "../../../gen/edge/v1/failure_pb.ts";
import { type Engine as EngineInfo, EngineSchema, type Sample } from "../../../gen/edge/v1/node_pb.ts";
import type {
  GetRuntimeLogsRequest,
  GetRuntimeLogsResponseSchema,
  Runtime,
  RuntimeSpec,
  RuntimeStatsSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import { Lanes } from "../../base/lanes.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import { runTasks } from "../../base/tasks.ts";
import { toFailureMessage } from "../../wire/failures.ts";
import { Engine, type EngineTimeouts, nothing, type Observed } from "../engine/index.ts";
import { type ImageSettings, Images, ImagesStore } from "../images/index.ts";
import type { Journal } from "../journal/index.ts";
import { Logs } from "../logs/index.ts";
import type { Network } from "../network/index.ts";
import { Stats } from "../usage/index.ts";
import type { Ask } from "../work/index.ts";
import { usualCapabilities } from "./capabilities.ts";
import * as commands from "./commands.ts";
import { type Figures, figuresForHistory, figuresNow } from "./figures.ts";
import { Loop } from "./loop.ts";
import { shown, toRuntime, toStatus } from "./message.ts";
import { type Pace, usualPace } from "./pace.ts";
import { type Known, phaseOf } from "./phase.ts";
import { groundOf } from "./situation.ts";
import { Store, type Wish } from "./store.ts";

export interface RuntimesOptions {
  /** The daemon's state file, opened with this room's `schema` and `imagesSchema`. */
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  /** `docker.host`: where the engine listens, as in `unix:///var/run/docker.sock`. It need not be there yet. */
  host: string;
  /** Who makes vNICs. */
  network: Pick<Network, "netmon" | "changes" | "attach" | "detach" | "macOf">;
  /** `runtimes.trust_after_ms`. */
  trustAfterMs: number;
  /** `images.*`. */
  images: ImageSettings;
  /** `policy.capabilities`; those that are usual when absent. */
  allowedCapabilities?: readonly string[];
  /** How soon what ended is started again; see `usualPace`. */
  pace?: Partial<Pace>;
  /** How long a created runtime must run before it counts as running, in milliseconds. 500 when absent. */
  settleMs?: number;
  /** How long the engine may take to answer, in milliseconds. */
  timeouts?: Partial<EngineTimeouts>;
  /** Uniform in [0, 1), for pauses. */
  random?: () => number;
}

/** Starts at once on a small machine: more are slower in total. */
const startsAtOnce = 4;

/** Commands that may wait for one runtime. */
const turnLimit = 100;

/** What should run on this node, what runs, and the loop that closes the gap. */
export class Runtimes implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #room: commands.Room;
  readonly #ground: ReturnType<typeof groundOf>;
  readonly #figures: Figures;
  readonly #logs: Logs;
  readonly #images: Images;
  readonly #network: RuntimesOptions["network"];
  readonly #turns = new Lanes(turnLimit);

  private constructor({
    sql,
    journal,
    clock,
    log,
    host,
    network,
    trustAfterMs,
    ...options
  }: RuntimesOptions) {
    const { settleMs = 500, timeouts = {}, random = Math.random, pace = {} } = options;
    const { allowedCapabilities = usualCapabilities } = options;
    const store = new Store(sql);
    this.#engine = new Engine(host, timeouts);
    const tools = {
      ...{ engine: this.#engine, store, journal, clock, log, network, settleMs, trustAfterMs, random },
      pace: { ...usualPace, ...pace },
      refused: new Set<never>(),
    };
    this.#images = new Images({
      ...{ engine: this.#engine, store: new ImagesStore(sql), clock, log, settings: options.images },
      wished: () => store.list().map(({ name }) => name),
    });
    const loop = new Loop({ ...tools, images: this.#images, starts: new Gate(startsAtOnce) });
    this.#network = network;
    this.#room = { store, journal, loop, clock, network, allowedCapabilities };
    this.#ground = groundOf(tools);
    this.#figures = { store, loop, ground: this.#ground, stats: new Stats(this.#engine, clock) };
    this.#logs = new Logs(this.#engine);
  }

  /** @throws {Failure} invalid: the host is not one. */
  static open(options: RuntimesOptions): Runtimes {
    return new Runtimes(options);
  }

  /** Closes the gap for as long as the signal lets it. An engine that is away ends nothing. Ended once, it stays ended. */
  async run(signal: AbortSignal): Promise<void> {
    await runTasks(
      signal,
      (all) => this.#room.loop.run(all),
      (all) => this.#images.run(all),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#room.loop[Symbol.asyncDispose]();
    this.#engine[Symbol.dispose]();
  }

  /** Told when `status` may have changed. */
  get changes(): Changes {
    return this.#room.loop.changes;
  }

  /** Creates a runtime and waits until it runs; see the contract. @returns whether this command made it. */
  async create(spec: RuntimeSpec, ask: Ask): Promise<{ runtime: Runtime; created: boolean }> {
    const { created } = await this.#inTurn(spec.name, ask, () => commands.create(this.#room, spec, ask));
    return { runtime: this.#known(spec.name), created };
  }

  /** Starts a runtime and waits until it runs; see the contract, as for the next two. */
  async start(name: string, ask: Ask): Promise<Runtime> {
    await this.#inTurn(name, ask, () => commands.start(this.#room, name, ask));
    return this.#known(name);
  }

  async stop(name: string, ask: Ask): Promise<Runtime> {
    await this.#inTurn(name, ask, () => commands.stop(this.#room, name, ask));
    return this.#known(name);
  }

  async restart(name: string, ask: Ask): Promise<Runtime> {
    await this.#inTurn(name, ask, () => commands.restart(this.#room, name, ask));
    return this.#known(name);
  }

  /** @returns the names of the engine's objects that were removed. */
  async delete(name: string, { keepVolume }: { keepVolume: boolean }, ask: Ask): Promise<readonly string[]> {
    return await this.#inTurn(name, ask, () => commands.remove(this.#room, { name, keepVolume }, ask));
  }

  /** One runtime, as the engine tells now. @throws {Failure} not_found. */
  async get(name: string, signal: AbortSignal): Promise<Runtime> {
    const wish = commands.theWish(this.#room.store, name);
    const { seen, away } = await this.#look(name, signal);
    return this.#toRuntime(wish, seen?.get(name) ?? nothing, away);
  }

  /** All runtimes by name, as the engine tells now. */
  async list(signal: AbortSignal): Promise<Runtime[]> {
    const { seen, away } = await this.#look(undefined, signal);
    return this.#room.store
      .list()
      .map((wish) => this.#toRuntime(wish, seen?.get(wish.name) ?? nothing, away));
  }

  /** Whether a runtime of this name is wished for. */
  has(name: string): boolean {
    return this.#room.store.get(name) !== undefined;
  }

  /** What is, as it was seen last. Asks nobody. */
  status(): { runtimes: RuntimeStatus[]; engineReachable: boolean; problem?: FailureMessage } {
    const { store, loop } = this.#room;
    const away = this.#away();
    const runtimes = store.list().map((wish) => {
      // It is told when something changes: how far a pull is would be out of date at once.
      const known = { ...this.#knownOf(wish, away), far: "" };
      return toStatus(wish, loop.tended(wish.name).seen, known, this.#ground);
    });
    return {
      runtimes,
      engineReachable: loop.engine.at === "there",
      ...(away && { problem: toFailureMessage(away) }),
    };
  }

  /** Equal for equal wishes: a hub that knows it need not ask for them again. */
  wishesHash(): string {
    const hash = createHash("sha256");
    for (const { name, specHash, desired } of this.#room.store.list()) {
      hash.update(`${name} ${specHash} ${desired}\n`);
    }
    return hash.digest("hex");
  }

  /** The engine, asked now. One that cannot be asked is an answer, too. */
  async engineInfo(signal: AbortSignal): Promise<EngineInfo> {
    const { host } = this.#engine;
    try {
      const { version, api } = await this.#engine.version(signal);
      const storageDriver = await this.#engine.storageDriver(signal);
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
    const away = this.#away();
    const phase = (wish: Wish) =>
      phaseOf(
        wish,
        shown(wish, this.#room.loop.tended(wish.name).seen, this.#ground),
        this.#knownOf(wish, away),
      ).phase;
    return await figuresNow(this.#figures, names, { away, phaseOf: phase }, signal);
  }

  /** The newest lines that a runtime wrote: see the contract. */
  async logs(
    request: GetRuntimeLogsRequest,
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof GetRuntimeLogsResponseSchema>> {
    const { name } = request;
    const wish = commands.theWish(this.#room.store, name);
    const { seen, away } = await this.#look(name, signal);
    if (away) throw away;
    const container = shown(wish, seen?.get(name), this.#ground);
    if (container) return await this.#logs.read(container, request, signal);
    throw failure("not_found", `runtime ${name} has no container now, and so no log: ask why it has none`);
  }

  /** Commands on one runtime are done one after the other, also where one of them is about many. */
  #inTurn<T>(name: string, { signal }: Ask, work: () => Promise<T>): Promise<T> {
    return this.#turns.run(name, async () => {
      signal.throwIfAborted(); // It was called off while it waited.
      return await work();
    });
  }

  /** A look for a reader. When the engine is known to be away it is not asked: the loop finds out when it is back. */
  async #look(
    name: string | undefined,
    signal: AbortSignal,
  ): Promise<{ seen?: Map<string, Observed>; away?: Failure }> {
    const away = this.#away();
    if (away) return { away };
    try {
      return { seen: await this.#engine.look(this.#ground.instanceId, name, signal) };
    } catch (thrown) {
      signal.throwIfAborted();
      return { away: asFailure(thrown) };
    }
  }

  /** A runtime as the loop saw it last: just now, for a command that waited for it. */
  #known(name: string): Runtime {
    const wish = commands.theWish(this.#room.store, name);
    return this.#toRuntime(wish, this.#room.loop.tended(name).seen, this.#away());
  }

  #toRuntime(wish: Wish, seen: Observed | undefined, away: Failure | undefined): Runtime {
    return toRuntime(wish, seen, this.#knownOf(wish, away), this.#ground);
  }

  #knownOf({ name }: Wish, away: Failure | undefined): Known {
    const { doing, far, problem, unplugged, pause, waitsFor, judged } = this.#room.loop.tended(name);
    const macOf: Known["lan"]["macOf"] = (runtime, vnic) => this.#network.macOf(runtime, vnic);
    const lan = { netmon: this.#network.netmon, unplugged: unplugged?.problem, macOf };
    return { away, doing, far, problem, pause, waitsFor, judged, lan };
  }

  #away(): Failure | undefined {
    const { engine } = this.#room.loop;
    return engine.at === "away" ? engine.problem : undefined;
  }
}
