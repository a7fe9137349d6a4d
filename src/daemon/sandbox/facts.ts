import type { Clock } from "../../base/clock.ts";
import { type Engine, pathAtEngine } from "../engine/index.ts";
import type { EngineInfo } from "./abilities.ts";

/** An engine learns of another runtime at any time, and takes 20 ms to tell. */
const freshMs = 60_000;

/** What the engine says of itself and of our folder: asked now and then, because every start needs it. */
export class Facts {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #folder: string;
  #known: { info: EngineInfo; folder: string; atMs: number } | undefined;

  constructor({ engine, clock, folder }: { engine: Engine; clock: Clock; folder: string }) {
    this.#engine = engine;
    this.#clock = clock;
    this.#folder = folder;
  }

  /** @returns the engine's words, and the folder of cells as the engine sees it. @throws {Failure} unavailable, unsupported. */
  async get(signal: AbortSignal, { isAnew = false } = {}): Promise<{ info: EngineInfo; folder: string }> {
    const known = this.#known;
    if (known && !isAnew && this.#clock.elapsed() - known.atMs < freshMs) return known;
    const info = await this.#engine.call(
      "tell what it can",
      signal,
      (docker) => docker.info() as Promise<EngineInfo>, // The library's type is `any`.
    );
    const folder = await pathAtEngine(this.#engine, this.#folder, signal);
    this.#known = { info, folder, atMs: this.#clock.elapsed() };
    return this.#known;
  }
}
