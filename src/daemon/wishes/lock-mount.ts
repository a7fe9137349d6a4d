import type Docker from "dockerode";
import { failure } from "../../base/failure.ts";
import { type Engine, EngineFailure, pathAtEngine } from "../engine/index.ts";
import type { Locks } from "../locks/index.ts";
import type { Wish } from "./wish.ts";

interface LockHands {
  engine: Engine;
  locks: Pick<Locks, "folders">;
  wish: Pick<Wish, "name" | "spec">;
  signal: AbortSignal;
}

/** A runtime's lock folder, made for the engine to mount, as the engine sees it; undefined for a runtime without one. */
export async function lockFolderOf({ engine, locks, wish, signal }: LockHands): Promise<string | undefined> {
  if (wish.spec.lockPath === "") return undefined;
  locks.folders.make(wish.name);
  return await pathAtEngine(engine, locks.folders.of(wish.name), signal);
}

/** Not among the engine's old `Binds`, which make a folder of root's where there is none. */
export function lockMount(path: string, lockFolder: string | undefined): Docker.MountSettings[] {
  return path === "" || lockFolder === undefined ? [] : [{ Type: "bind", Source: lockFolder, Target: path }];
}

/** What the engine says of a folder that it cannot see, as a failure that says what to do. */
export function withoutLockFolder(thrown: unknown, lockFolder: string | undefined): unknown {
  const isUnseen =
    lockFolder !== undefined &&
    thrown instanceof EngineFailure &&
    thrown.message.includes(lockFolder) &&
    /bind source path does not exist|no such file or directory/.test(thrown.message);
  if (!isUnseen) return thrown;
  return failure(
    "unsupported",
    `the engine does not see the daemon's folder ${lockFolder}: leave spec.lock_path out, or keep daemon.data_dir where both see it`,
    { cause: thrown },
  );
}
