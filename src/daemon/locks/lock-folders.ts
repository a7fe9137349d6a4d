import { chmodSync, existsSync, type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../../base/failure.ts";
import { makeFolder } from "../../base/files.ts";
import type { Logger } from "../../base/log.ts";
import { systemCode } from "../../base/system-code.ts";
import { type LockFile, lockFileName, readLockFile } from "./lock-file.ts";

export interface LockFoldersOptions {
  /** Where they are made: below the daemon's own folder, so that nobody else on the machine comes near them. */
  folder: string;
  log: Logger;
  /** Told when the lock file of a runtime may have changed. */
  onChange: (runtime: string) => void;
}

/** The folders in which programs say that they are not to be touched. Each is watched from when it is made. */
export class LockFolders implements Disposable {
  readonly #folder: string;
  readonly #log: Logger;
  readonly #onChange: (runtime: string) => void;
  /** Undefined for a folder that cannot be watched. */
  readonly #watchers = new Map<string, FSWatcher | undefined>();

  constructor({ folder, log, onChange }: LockFoldersOptions) {
    this.#folder = folder;
    this.#log = log;
    this.#onChange = onChange;
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers.values()) watcher?.close();
    this.#watchers.clear();
  }

  /** The folder of a runtime. */
  of(runtime: string): string {
    return join(this.#folder, runtime);
  }

  /**
   * Makes the folder of a runtime, where it is not there, and watches it. What is in it stays.
   * @throws {Failure} unavailable: it cannot be made.
   */
  make(runtime: string): void {
    const folder = this.of(runtime);
    if (!existsSync(folder)) this.#unwatch(runtime);
    try {
      makeFolder(this.#folder, 0o700);
      makeFolder(folder, 0o777);
      this.#open(runtime, folder);
    } catch (cause) {
      const next = "check its owner, and the space on its file system";
      throw failure("unavailable", `the lock folder ${folder} cannot be made: ${next}`, { cause });
    }
    if (!this.#watchers.has(runtime)) this.#watch(runtime, folder);
  }

  /** Makes it and empties it, for a run that is about to begin: what another one left is nobody's word any more. */
  async empty(runtime: string): Promise<void> {
    this.make(runtime);
    const folder = this.of(runtime);
    const stays = (error: unknown) => this.#log.warn({ runtime, error }, "something stays in a lock folder");
    const names = await readdir(folder).catch(stays);
    for (const name of names ?? []) {
      // A folder of another user's can stay; a file cannot, as long as the folder that it lies in is open to us.
      await rm(join(folder, name), { recursive: true, force: true }).catch(stays);
    }
  }

  /** Removes it with all that is in it, as far as that can be done. */
  async remove(runtime: string): Promise<void> {
    this.#unwatch(runtime);
    await rm(this.of(runtime), { recursive: true, force: true }).catch((error: unknown) => {
      this.#log.warn({ runtime, error }, "a lock folder could not be removed");
    });
  }

  /** The runtimes that have one. */
  all(): string[] {
    return existsSync(this.#folder) ? readdirSync(this.#folder) : [];
  }

  /** What its program says in there now: see `readLockFile`. One from an earlier life of the daemon is watched from now on. */
  read(runtime: string, newerThanMs: number): LockFile | undefined {
    const folder = this.of(runtime);
    if (!this.#watchers.has(runtime) && existsSync(folder)) this.#watch(runtime, folder);
    return readLockFile(join(folder, lockFileName), newerThanMs);
  }

  /** A program may be any user. It may also have made the folder its own, and then only its own word counts. */
  #open(runtime: string, folder: string): void {
    if ((statSync(folder).mode & 0o777) === 0o777) return;
    try {
      chmodSync(folder, 0o777); // Not at its making: there, this program's own mask takes away from it.
    } catch (error) {
      if (systemCode(error) !== "EPERM") throw error;
      this.#log.warn({ runtime, error }, "a lock folder has been made somebody else's");
    }
  }

  /** Where the kernel watches no more folders, a change is seen when somebody asks. */
  #watch(runtime: string, folder: string): void {
    const failed = (error: unknown) => this.#log.warn({ runtime, error }, "a lock folder cannot be watched");
    this.#watchers.set(runtime, undefined);
    try {
      const watcher = watch(folder, (_, name) => {
        if (name === lockFileName) this.#onChange(runtime);
      });
      this.#watchers.set(runtime, watcher.on("error", failed));
    } catch (thrown) {
      failed(thrown);
    }
  }

  #unwatch(runtime: string): void {
    this.#watchers.get(runtime)?.close();
    this.#watchers.delete(runtime);
  }
}
