import { type FileHandle, open, stat } from "node:fs/promises";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";
import { isAlive, type Owner, parentOf } from "./owner.ts";
import type { Place } from "./run.ts";

/** The network namespace of a container that runs. While it is open the kernel keeps it, also when the container has ended. */
export class Netns implements AsyncDisposable {
  readonly owner: Owner;
  readonly #file: FileHandle;

  private constructor(owner: Owner, file: FileHandle) {
    this.owner = owner;
    this.#file = file;
  }

  /**
   * Opens it. Who the process is is looked at afterwards, so that a pid that was given again never leads into another's.
   * @throws {Failure} not_found: the process has ended. denied: a right is missing. conflict: it has no namespace of its own, which
   * it gets in a moment when it is just being started, and never when it uses the host's network.
   */
  static async open(owner: Owner): Promise<Netns> {
    const file = await open(`/proc/${owner.pid}/ns/net`).catch((cause: unknown) => {
      const isRefused = systemCode(cause) === "EACCES" || systemCode(cause) === "EPERM";
      throw isRefused ? failure("denied", mayNotLook, { cause }) : ended(owner, cause);
    });
    try {
      const { ino } = await file.stat({ bigint: true });
      // The engine, which need not be in netmon's namespace, starts a container's first process in its own.
      const others = await Promise.all(["self", parentOf(owner) ?? "none"].map(namespaceOf));
      if (!isAlive(owner)) throw ended(owner);
      if (!others.includes(ino)) return new Netns(owner, file);
      throw failure("conflict", `container ${short(owner)} has no network namespace of its own yet`);
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }

  /** Leads to it from any process of netmon's, for `nsenter --net=` and `ip link ... netns`, while this is open. */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.#file.fd}`;
  }

  get place(): Place {
    return { netns: this.path };
  }

  /** Whether the process by which it was found still lives. */
  get isAlive(): boolean {
    return isAlive(this.owner);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close();
  }
}

/** The number of a process's network namespace; undefined when it has ended. */
async function namespaceOf(pid: string): Promise<bigint | undefined> {
  const seen = await stat(`/proc/${pid}/ns/net`, { bigint: true }).catch(() => undefined);
  return seen?.ino;
}

/** What the kernel means by refusing the way into another process. */
export const mayNotLook =
  "netmon may not look into containers: it needs SYS_PTRACE, and the host's pid namespace";

export function ended(owner: Owner, cause?: unknown) {
  return failure("not_found", `container ${short(owner)} does not run any more`, { cause });
}

function short({ containerId }: Owner): string {
  return containerId.slice(0, 12);
}
