import { create } from "@bufbuild/protobuf";
import {
  GetRuntimeLogsRequestSchema,
  GetRuntimeLogsResponseSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import type { Logger } from "../../base/log.ts";
import { unlessAborted } from "../../base/tasks.ts";
import { type Engine, isNotFound } from "../engine/index.ts";
import { Logs } from "../logs/index.ts";
import { abilitiesOf } from "./abilities.ts";
import type {
  Cell,
  CellAsk,
  CellEnd,
  CellIdentity,
  CellIncident,
  CellLog,
  FoundCell,
  Provider,
} from "./cell.ts";
import { endedContainer, holderOf, removeContainer, signalContainer } from "./container-end.ts";
import { Facts } from "./facts.ts";
import { framed, readable } from "./first-process.ts";
import { Holders } from "./holders.ts";
import { CellImages } from "./image.ts";
import { listOwn } from "./listing.ts";
import { endOf, type LiveCell } from "./live-cell.ts";
import { loggedOutput } from "./logged-output.ts";
import { type Hands, isLostHolder, startCell } from "./start.ts";
import { purge, release, removeLeftBehind, sweep } from "./tidy.ts";

export interface SandboxesOptions {
  engine: Engine;
  instanceId: string;
  /** Where each cell has a folder, as this program sees it. */
  folder: string;
  /** What other rooms put into cells, in this order. */
  providers: readonly Provider[];
  /** Folders of the node that no cell may see: ours, and those of other programs' sockets. */
  keptFolders: readonly string[];
  clock: Clock;
  log: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Told at once of the first of each kind of thing that the programs of a cell try and may not; the rest is told with its end. */
  onIncident?: (cell: CellIdentity, incident: CellIncident) => void;
  /** The task that has claimed a cell, for the log. */
  taskOf?: (cellId: string) => string | undefined;
  /** A range of IPv6 for cells that have a network; they have none of it when absent. */
  subnet6?: string | undefined;
  /** How many network namespaces are kept ahead. 4 when absent. */
  ahead?: number;
}

/** Starts at once on a small machine: more are slower in total. */
const startsAtOnce = 3;
/** How long a daemon that stops may take to remove what it made ahead, in milliseconds. */
const tidyMs = 3_000;
/** How long a first process may take to kill all others and to say what it knows, in milliseconds. */
const reportMs = 2_000;
/** What a cell of a former life may have answered: its manifest is not known here. */
const mostIoBytes = 16 * 2 ** 20;

/** The cells of a node: made, handed their input, ended, removed. */
export class Sandboxes implements AsyncDisposable {
  readonly #hands: Hands;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #logs: Logs;
  readonly #live = new Map<string, LiveCell>();
  readonly #starts = new Gate(startsAtOnce);
  readonly #stop = new AbortController();
  #filling: Promise<void> | undefined;
  #isPurging = false;

  private constructor({ engine, instanceId, clock, log, ahead = 4, ...options }: SandboxesOptions) {
    const holders = new Holders({ engine, instanceId, ahead });
    const images = new CellImages(engine);
    const facts = new Facts({ engine, clock, folder: options.folder });
    this.#hands = { ...options, engine, instanceId, holders, images, facts, log, leftBehind: new Set() };
    this.#clock = clock;
    this.#log = log;
    this.#logs = new Logs(engine);
  }

  static open(options: SandboxesOptions): Sandboxes {
    return new Sandboxes(options);
  }

  /** Cells go on without us, or end by themselves when they still wait for their input. What no cell is in is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(failure("cancelled", "the daemon stops"));
    for (const { streams } of this.#live.values()) streams.close();
    // The next life removes what an engine that is away keeps now.
    const late = AbortSignal.timeout(tidyMs);
    if (this.#filling) await unlessAborted(this.#filling, late).catch(() => {});
    await this.#hands.holders.dropAll(late).catch(() => {});
  }

  /** Levels of isolation that this node has, as a manifest names them. @throws {Failure} unavailable. */
  async isolations(signal: AbortSignal): Promise<readonly string[]> {
    return abilitiesOf((await this.#hands.facts.get(signal, { isAnew: true })).info).isolations;
  }

  /** Makes ready what can be made ahead, for a node that has agents. Nothing depends on it but how soon the first cells are there. */
  expect(): void {
    if (this.#filling || this.#isPurging || this.#stop.signal.aborted) return;
    const { signal } = this.#stop;
    const made = removeLeftBehind(this.#hands, signal).then(() => this.#hands.holders.fill(signal));
    this.#filling = made
      .catch((error: unknown) => {
        if (!signal.aborted) this.#log.warn({ error }, "no network namespace could be made ahead");
      })
      .finally(() => {
        this.#filling = undefined;
      });
  }

  /**
   * Makes a cell and starts it; its program, only if it is made ahead. Of one that could not be made nothing is left.
   * @throws {Failure} unsupported: this node cannot confine it so. denied: a folder of the node that no agent may see. not_found: the
   * engine does not have its image. invalid, unavailable, exhausted.
   */
  async start(ask: CellAsk, signal: AbortSignal): Promise<Cell> {
    return await this.#starts.run(signal, async () => {
      if (this.#isPurging)
        throw failure("conflict", "this node is being taken out of service: no agent runs");
      const live = await startCell(this.#hands, ask, signal).catch(async (thrown: unknown) => {
        if (!isLostHolder(thrown)) throw thrown;
        await this.#hands.holders.dropAll(signal);
        return await startCell(this.#hands, ask, signal);
      });
      this.#live.set(ask.id, live);
      this.expect();
      return live.cell;
    });
  }

  /**
   * Gives a cell the input of its task, and its end. Its program gets all of it or nothing: of what does not come whole, its first
   * process ends it.
   * @throws {Failure} unavailable: the engine does not take it. not_found: it is no cell of this life of the daemon.
   */
  async give({ id }: Cell, input: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const live = this.#live.get(id);
    if (!live) throw failure("not_found", `cell ${id} is not one that waits for input`);
    await live.streams.write(framed(input));
  }

  /** Waits for the end of a cell's program; of a cell of a former life of the daemon, too. An engine that is away is waited for. */
  async ended(cell: Cell, signal: AbortSignal): Promise<CellEnd> {
    const { engine } = this.#hands;
    const live = this.#live.get(cell.id);
    if (live) await unlessAborted(live.streams.ended, signal);
    // The first process spoke last: all that was written before has come.
    const isWhole = live?.streams.isWhole === true;
    const how = { clock: this.#clock, isOrphan: !isWhole, isTold: isWhole };
    const end = await endedContainer(engine, cell.containerId, how, signal);
    if (live && isWhole) return endOf(end, live.streams.counted, live.streams);
    const ioBytes = live?.ioBytes ?? mostIoBytes;
    return endOf(end, undefined, await loggedOutput(engine, cell.containerId, ioBytes, signal));
  }

  /**
   * TERM to all of its processes, the grace, then all are killed. Returns when it does not run; one that is gone is the same success.
   * Its first process does the killing while it can: what it knows of the end would be lost with it.
   */
  async stop({ containerId }: Cell, graceMs: number, signal: AbortSignal): Promise<void> {
    const { engine } = this.#hands;
    for (const [kill, waitMs] of [
      ["SIGTERM", graceMs],
      ["SIGPWR", reportMs],
    ] as const) {
      if (!(await signalContainer(engine, containerId, kill, signal))) return;
      if (await this.#endsWithin(containerId, waitMs, signal)) return;
    }
    await engine.stop(containerId, 0, signal).catch((thrown: unknown) => {
      if (!isNotFound(thrown)) throw thrown;
    });
  }

  /** Removes a cell, and all that others put into it. One that is gone is the same success. */
  async remove(cell: Cell, signal: AbortSignal): Promise<void> {
    const { engine, holders } = this.#hands;
    const live = this.#live.get(cell.id);
    // That of a former life serves nobody else.
    const formerHolder = live ? undefined : await holderOf(engine, cell.containerId, signal);
    await removeContainer(engine, cell.containerId, signal);
    await release(this.#hands, cell.id);
    this.#live.delete(cell.id);
    live?.streams.close();
    if (live?.network && !live.network.onBridge) await holders.giveBack(cell.agent, live.network, signal);
    const gone = live?.network?.onBridge ? live.network.holderId : formerHolder;
    if (gone !== undefined) await holders.remove(gone, signal);
    if (live) this.expect();
  }

  /** The newest lines that a cell wrote. */
  async logs(cell: Cell, signal: AbortSignal): Promise<CellLog> {
    const container = await this.#hands.engine.container(cell.containerId, signal);
    if (!container) return { lines: [], leftOut: true };
    const request = create(GetRuntimeLogsRequestSchema, { name: cell.agent, tailLines: 1000 });
    const { lines, leftOut } = create(
      GetRuntimeLogsResponseSchema,
      await this.#logs.read(container, request, signal),
    );
    const shown = lines.flatMap((line) => {
      const text = readable(line.text);
      return text === undefined ? [] : text === line.text ? [line] : [{ ...line, text }];
    });
    return { lines: shown, leftOut };
  }

  /** The cells that the engine has; what former lives left beside them is removed. To be asked once, before the first start. */
  async found(signal: AbortSignal): Promise<FoundCell[]> {
    return await sweep(this.#hands, new Set(this.#live.keys()), signal);
  }

  /** The cells that the engine has now. */
  async list(signal: AbortSignal): Promise<FoundCell[]> {
    const { engine, instanceId } = this.#hands;
    return (await listOwn(engine, instanceId, signal)).cells;
  }

  /** Removes every cell, and all that was made for cells: nothing of this room is left on the engine or on the disk. */
  async purge(signal: AbortSignal): Promise<void> {
    this.#isPurging = true;
    try {
      await this.#filling;
      await this.#hands.holders.dropAll(signal);
      await purge(this.#hands, (cell) => this.remove(cell, signal), signal);
    } finally {
      this.#isPurging = false;
    }
  }

  async #endsWithin(containerId: string, ms: number, signal: AbortSignal): Promise<boolean> {
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    try {
      const ended = endedContainer(this.#hands.engine, containerId, { clock: this.#clock }, stop).then(
        () => true,
      );
      return await Promise.race([ended, this.#clock.sleep(ms, stop).then(() => false)]);
    } finally {
      over.abort();
    }
  }
}
