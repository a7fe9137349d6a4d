import { readFile } from "node:fs/promises";
import type { Clock } from "../../base/clock.ts";
import { type Engine, pathAtEngine } from "../engine/index.ts";
import { type EngineInfo, tellsCallsOn } from "./abilities.ts";

/** An engine learns of another runtime at any time, and takes 20 ms to tell. */
const freshMs = 60_000;

/** What the kernel's filters of system calls may do; this file is there wherever there are such filters. */
const actionsFile = "/proc/sys/kernel/seccomp/actions_avail";

/** What the cells of a node depend on. */
export interface Known {
  info: EngineInfo;
  /** The folder of cells, as the engine sees it. */
  folder: string;
  tellsCalls: boolean;
}

/** What the engine and the kernel say of themselves, and where our folder is: asked now and then, because every start needs it. */
export class Facts {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #folder: string;
  #known: (Known & { atMs: number }) | undefined;

  constructor({ engine, clock, folder }: { engine: Engine; clock: Clock; folder: string }) {
    this.#engine = engine;
    this.#clock = clock;
    this.#folder = folder;
  }

  /** @throws {Failure} unavailable, unsupported. */
  async get(signal: AbortSignal, { isAnew = false } = {}): Promise<Known> {
    const known = this.#known;
    if (known && !isAnew && this.#clock.elapsed() - known.atMs < freshMs) return known;
    const info = await this.#engine.call(
      "tell what it can",
      signal,
      (docker) => docker.info() as Promise<EngineInfo>, // The library's type is `any`.
    );
    const folder = await pathAtEngine(this.#engine, this.#folder, signal);
    const tellsCalls = tellsCallsOn(info, await readFile(actionsFile, "utf8").catch(() => ""));
    this.#known = { info, folder, tellsCalls, atMs: this.#clock.elapsed() };
    return this.#known;
  }
}
