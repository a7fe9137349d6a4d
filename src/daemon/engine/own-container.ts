import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { failure } from "../../base/failure.ts";
import type { Engine } from "./engine.ts";
import { isNotFound } from "./engine-failures.ts";

/** A folder of a container, and where the engine has it. */
export interface ContainerMount {
  Destination: string;
  /** Empty for a file system in memory. */
  Source: string;
}

/**
 * Where the engine sees a folder of this program, so that it can mount it into a container. A program that runs in a container
 * of this very engine has folders which the engine knows by other paths.
 * @throws {Failure} unsupported: the engine cannot see it. unavailable: the engine is away.
 */
export async function pathAtEngine(
  engine: Engine,
  path: string,
  signal: AbortSignal,
  readMountInfo: () => Promise<string> = () => readFile("/proc/self/mountinfo", "utf8"),
): Promise<string> {
  const id = ownContainer(await readMountInfo());
  if (id === undefined) return path;
  const mounts = await engine
    .call("look at this program's own container", signal, (docker, abortSignal) =>
      docker.getContainer(id).inspect({ abortSignal }),
    )
    .then(({ Mounts }) => Mounts)
    .catch((thrown: unknown) => {
      if (isNotFound(thrown)) return undefined;
      throw thrown;
    });
  // Another engine's container: this one may run in there, too, beside this program.
  if (mounts === undefined) return path;
  const there = pathOfMount(path, mounts);
  if (there !== undefined) return there;
  const sentence = `this program runs in a container of the engine, which has no volume or folder at ${path}`;
  throw failure("unsupported", `${sentence}: keep daemon.data_dir on one`);
}

/** The id of the container that a program is in: engines mount these files of theirs into each. */
export function ownContainer(mountInfo: string): string | undefined {
  for (const line of mountInfo.split("\n")) {
    const [, , , root = "", at = ""] = line.split(" ");
    if (!["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"].includes(at)) continue;
    const id = /\/([0-9a-f]{64})\//.exec(root)?.[1];
    if (id !== undefined) return id;
  }
  return undefined;
}

/** Where a path is that lies in one of a container's mounts; the innermost counts. */
export function pathOfMount(path: string, mounts: readonly ContainerMount[]): string | undefined {
  const [innermost] = mounts
    .filter(
      ({ Destination }) => path === Destination || path.startsWith(`${Destination.replace(/\/$/, "")}/`),
    )
    .sort((one, other) => other.Destination.length - one.Destination.length);
  if (!innermost?.Source) return undefined;
  const within = relative(innermost.Destination, path);
  return within === "" ? innermost.Source : `${innermost.Source.replace(/\/$/, "")}/${within}`;
}
