import { type FSWatcher, watch } from "node:fs";
import { basename } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { systemCode } from "../../base/system-code.ts";

interface Options {
  /** Something came or went in a folder. Must be cheap. */
  readonly notice: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Before Linux 6.13 each write to /dev/null is told to whoever watches /dev. A folder that tells so much in a second is left
 * alone for a while, in milliseconds, and looked at after it.
 */
const loud = { notices: 200, withinMs: 1_000, restMs: 400 };

/** Listens to folders of the node in which devices come and go. */
export class FolderWatch implements Disposable {
  readonly #options: Options;
  /** By folder. */
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #end = new AbortController();

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Listens to these folders and no others. Says whether there is one that was not listened to until now: what came into it
   * before is to be looked at again.
   */
  follow(folders: ReadonlySet<string>): boolean {
    for (const folder of [...this.#watchers.keys()]) if (!folders.has(folder)) this.#leave(folder);
    let isNew = false;
    for (const folder of folders) {
      if (!this.#watchers.has(folder)) isNew = this.#listen(folder) || isNew;
    }
    return isNew;
  }

  [Symbol.dispose](): void {
    this.#end.abort();
    for (const folder of [...this.#watchers.keys()]) this.#leave(folder);
  }

  #listen(folder: string): boolean {
    const { notice, clock, log } = this.#options;
    let [since, heard] = [clock.elapsed(), 0];
    try {
      const watcher = watch(folder, { persistent: false }, (what, name) => {
        // The kernel calls the folder itself by its own name: it is gone, and one that is made again is another one.
        if (what === "rename" && name === basename(folder)) this.#leave(folder);
        if (what === "rename") notice();
        if (clock.elapsed() - since > loud.withinMs) [since, heard] = [clock.elapsed(), 0];
        if (++heard === loud.notices) this.#rest(folder);
      });
      watcher.on("error", () => {
        this.#leave(folder);
        notice();
      });
      this.#watchers.set(folder, watcher);
      return true;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return false; // Whoever sees it come asks again.
      log.warn({ folder, error }, "a folder of devices cannot be listened to: it is looked at now and then");
      return false;
    }
  }

  #rest(folder: string): void {
    const { notice, clock } = this.#options;
    this.#watchers.get(folder)?.close();
    const again = () => {
      this.#leave(folder);
      notice();
    };
    clock.sleep(loud.restMs, this.#end.signal).then(again, () => {}); // Netmon ends.
  }

  #leave(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }
}
