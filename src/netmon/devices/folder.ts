import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rmdir, stat, unlink } from "node:fs/promises";
import { asFailure, failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { type DeviceNumber, numberOf, numberText } from "../../wire/device-path.ts";
import { below, type Owner, openRoot, run } from "../namespaces/index.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/** What a path of a container's /dev holds: nothing, a device by its number (`c 188:0`), or something else. */
export type Holds =
  | { readonly is: "nothing" }
  | { readonly is: "device"; readonly number: string }
  | { readonly is: "other"; readonly what: string };

/**
 * A container's /dev, open. The container may have put anything there, so each step of the way is opened without following links,
 * and must be of the same file system: what is mounted there is somebody else's.
 */
export class DevFolder implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #fileSystem: bigint;

  private constructor(handle: FileHandle, fileSystem: bigint) {
    this.#handle = handle;
    this.#fileSystem = fileSystem;
  }

  /** @throws {Failure} as `openRoot`. denied: it has no /dev of its own. */
  static async open(owner: Owner, nodeDev: string): Promise<DevFolder> {
    await using root = await openRoot(owner);
    const handle = await open(below(root, "dev"), O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(noFolder);
    try {
      const [{ dev, ino }, ...nodes] = await Promise.all([
        handle.stat({ bigint: true }),
        ...[nodeDev, "/dev"].map((path) => stat(path, { bigint: true })),
      ]);
      if (!nodes.some((one) => one.dev === dev && one.ino === ino)) return new DevFolder(handle, dev);
      throw failure("denied", "its container has the node's own /dev, in which nothing is changed");
    } catch (thrown) {
      await handle.close();
      throw thrown;
    }
  }

  /** @throws {Failure} denied: the way there is no folder of the container's own /dev. */
  async look(path: string): Promise<Holds> {
    await using way = await this.#walk(path, "look");
    if (!way) return { is: "nothing" };
    try {
      const found = await lstat(way.path, { bigint: true });
      if (found.isCharacterDevice()) return { is: "device", number: text("c", found.rdev) };
      if (found.isBlockDevice()) return { is: "device", number: text("b", found.rdev) };
      const what = found.isSymbolicLink() ? "a link" : found.isDirectory() ? "a folder" : "a file";
      return { is: "other", what };
    } catch (thrown) {
      if (systemCode(thrown) === "ENOENT") return { is: "nothing" };
      throw thrown;
    }
  }

  /**
   * Makes a node that everybody in the container may use, and the folders above it. Its mode comes with it, because a path that
   * is followed a second time may lead elsewhere. @throws {Failure} conflict: something is there. denied.
   */
  async make(path: string, { kind, major, minor }: DeviceNumber, signal: AbortSignal): Promise<void> {
    await using way = await this.#walk(path, "make");
    if (!way) throw failure("conflict", `the folder of ${path} vanished`);
    const script = 'umask 0; exec busybox mknod "$@"';
    const args = ["-c", script, "sh", way.path, kind, String(major), String(minor)];
    await run({}, "sh", args, { signal, doing: `make ${path} in the container` }).catch((thrown: unknown) => {
      if (asFailure(thrown).kind !== "denied") throw thrown;
      throw failure("denied", `cannot make ${path} in the container: netmon needs MKNOD`, { cause: thrown });
    });
  }

  /** Removes a node if it still is that device, and the folders above it that hold nothing then. */
  async remove(path: string, number: string): Promise<void> {
    const holds = await this.look(path);
    if (holds.is !== "device" || holds.number !== number) return;
    const parts = path.split("/").slice(2);
    for (let depth = parts.length; depth > 0; depth--) {
      await using way = await this.#walk(`/dev/${parts.slice(0, depth).join("/")}`, "look");
      if (!way) return;
      try {
        await (depth === parts.length ? unlink : rmdir)(way.path);
      } catch (thrown) {
        if (depth < parts.length) return; // The container has something in there.
        if (systemCode(thrown) !== "ENOENT") throw thrown;
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }

  /** The folder of a path, open, and the path through it; undefined when there is none. */
  async #walk(path: string, why: "look" | "make"): Promise<(AsyncDisposable & { path: string }) | undefined> {
    await using opened = new AsyncDisposableStack();
    const parts = path.split("/").slice(2);
    const name = parts.pop() ?? "";
    let folder = this.#handle;
    for (const part of parts) {
      const next = below(folder, part);
      const isNew = why === "make" && (await mkdir(next).then(() => true, falseIfThere));
      const handle = await open(next, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch((thrown: unknown) => {
        if (systemCode(thrown) !== "ENOENT") return noFolder(thrown);
        return undefined;
      });
      if (!handle) return undefined;
      folder = opened.use(handle);
      if (isNew) await folder.chmod(0o755); // Netmon's own mask lets nobody else in.
      const { dev } = await folder.stat({ bigint: true });
      if (dev !== this.#fileSystem) throw failure("denied", `something is mounted at ${part} in its /dev`);
    }
    const owned = opened.move();
    return { path: below(folder, name), [Symbol.asyncDispose]: () => owned.disposeAsync() };
  }
}

function text(kind: "b" | "c", rdev: bigint): string {
  return numberText({ kind, ...numberOf(rdev) });
}

function falseIfThere(thrown: unknown): false {
  if (systemCode(thrown) !== "EEXIST") throw thrown;
  return false;
}

function noFolder(cause: unknown): never {
  const code = systemCode(cause);
  if (code !== "ELOOP" && code !== "ENOTDIR") throw cause;
  throw failure("denied", "the way there in the container's /dev is no folder", { cause });
}
