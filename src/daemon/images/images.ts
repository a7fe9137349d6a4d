import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import type { Logger } from "../../base/log.ts";
import { type Engine, fullReference } from "../engine/index.ts";
import type { Ask } from "../work/index.ts";
import { type DiskLimits, type EngineDisk, engineDisk, judgeDisk } from "./disk-guard.ts";
import { imagesInUse, inspect, planCleanUp, removeImage } from "./image-cleanup.ts";
import type { ImagesStore } from "./images-store.ts";
import { pull } from "./pull.ts";
import { credentialsFor } from "./registry-credentials.ts";

export interface ImageSettings extends DiskLimits {
  /** `images.pulls_at_once`. */
  pullsAtOnce: number;
  /** `images.silence_ms`. */
  silenceMs: number;
  /** `images.credentials`. */
  credentialsFile: string;
  /** `images.keep_unused_days`, in milliseconds. */
  keepUnusedMs: number;
}

export interface ImagesOptions {
  engine: Engine;
  store: ImagesStore;
  clock: Clock;
  log: Logger;
  settings: ImageSettings;
  /** Names of the runtimes that are wished for. */
  wished: () => Iterable<string>;
}

/** Between two looks for images that may go. */
const cleanUpEveryMs = 3_600_000;

/** Pulls images, few at once, and removes those that were pulled and are not used any more. */
export class Images {
  readonly #options: ImagesOptions;
  /** A pull that hangs gives its place back when it is given up. */
  readonly #pulls: Gate;
  readonly #cleanUps = new Gate(1);

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.#pulls = new Gate(options.settings.pullsAtOnce);
  }

  /**
   * Pulls an image for a runtime. One that another runtime pulled while this one waited is not pulled again, unless the registry
   * is to be asked what its tag means now.
   * @throws {Failure} exhausted: the engine's disk is too full. Else as `pull` and `credentialsFor` say.
   */
  async pull(
    runtime: string,
    image: string,
    { signal, progress, isAsked = false }: Pick<Ask, "signal" | "progress"> & { isAsked?: boolean },
  ): Promise<void> {
    const { engine, store, clock, settings } = this.#options;
    const reference = fullReference(image);
    const phase = "pulling image";
    progress(phase, 0, 0, "waits for other pulls");
    await this.#pulls.run(signal, async () => {
      progress(phase, 0, 0);
      if (!isAsked && (await inspect(engine, reference, signal))) return;
      await this.#makeRoom(signal);
      const { silenceMs, credentialsFile } = settings;
      const credentials = await credentialsFor(image, credentialsFile);
      await pull(engine, image, {
        ...{ clock, signal, silenceMs, credentials, credentialsFile },
        onProgress: ({ doneBytes, totalBytes, detail }) => progress(phase, doneBytes, totalBytes, detail),
      });
      const found = await inspect(engine, reference, signal);
      if (!found) return; // Whoever asked for it looks for it, too.
      store.addPulled({ imageId: found.Id, reference, usedAt: clock.now() });
      this.used(runtime, found.Id);
    });
  }

  /** A runtime is made from an image: it is kept, and so is the one that the runtime had before. */
  used(runtime: string, imageId: string): void {
    this.#options.store.use(runtime, imageId, this.#options.clock.now());
  }

  /** Removes what may go, every hour, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { engine, clock, log, settings } = this.#options;
    for (;;) {
      await clock.sleep(cleanUpEveryMs, signal);
      try {
        const isFull = judgeDisk(await engineDisk(engine, signal), settings) !== "fine";
        await this.cleanUp({ keepUnusedMs: isFull ? 0 : settings.keepUnusedMs }, signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ error }, "images that nobody uses could not be removed; it is tried again in an hour");
      }
    }
  }

  /** Removes images that this daemon pulled and that nobody has used for so long. */
  async cleanUp({ keepUnusedMs }: { keepUnusedMs: number }, signal: AbortSignal): Promise<void> {
    await this.#cleanUps.run(signal, async () => {
      const { engine, store, clock, log, wished } = this.#options;
      const inUse = await imagesInUse(engine, signal);
      const tried = new Set<string>();
      for (;;) {
        // Decided anew before each: a runtime may have begun to use one meanwhile.
        const kept = new Set([...inUse, ...store.ofRuntimes(new Set(wished()))]);
        const now = clock.now();
        for (const imageId of kept) store.touchPulled(imageId, now);
        const next = planCleanUp(store.pulled(), { kept, now, keepUnusedMs }).find(
          ({ imageId, reference }) => !tried.has(`${imageId} ${reference}`),
        );
        if (!next) return;
        const { imageId, reference } = next;
        tried.add(`${imageId} ${reference}`);
        const became = await removeImage(engine, next, signal);
        if (became === "used") store.touchPulled(imageId, now);
        else store.forgetPulled(next);
        if (became === "removed")
          log.info({ image: reference, imageId }, "an image that nobody uses was removed");
      }
    });
  }

  /** @throws {Failure} exhausted: the disk stays too full. */
  async #makeRoom(signal: AbortSignal): Promise<void> {
    const { engine, log, settings } = this.#options;
    const before = await engineDisk(engine, signal);
    if (!before || judgeDisk(before, settings) === "fine") return;
    log.warn({ ...before }, "the engine's disk is rather full: images that nobody uses are removed");
    await this.cleanUp({ keepUnusedMs: 0 }, signal);
    const after = await engineDisk(engine, signal);
    if (!after || judgeDisk(after, settings) !== "refuse") return;
    throw failure("exhausted", tooFull(after, settings));
  }
}

function tooFull({ path, usedPercent, freeBytes }: EngineDisk, { refuseAbovePercent }: DiskLimits): string {
  const free = `${Math.floor(freeBytes / 1e6)} MB are free`;
  return (
    `the disk of the engine's data at ${path} is ${Math.ceil(usedPercent)} % full, ${free}, and nothing is pulled above ` +
    `${refuseAbovePercent} %: remove images and volumes that nobody needs, or raise images.refuse_above_percent`
  );
}
