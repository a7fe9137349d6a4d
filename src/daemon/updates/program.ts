import { existsSync, realpathSync } from "node:fs";
import { join, relative } from "node:path";
import { failure } from "../../base/failure.ts";

/** A daemon that can be started: one that came in a bundle, unpacked in a folder of its own. */
export interface Program {
  version: string;
  /** SHA-256 of its bundle, in hexadecimal. */
  sha256: string;
}

/** Where bundles are unpacked, one folder each, beside the room's own file. */
export function programsFolder(dataDir: string): string {
  return join(dataDir, "programs");
}

/** The folder of one program. */
export function folderOf(dataDir: string, { sha256 }: Pick<Program, "sha256">): string {
  return join(programsFolder(dataDir), sha256);
}

/** Which program of this data directory runs here, by the file that Node was told to run; undefined for an installed one. */
export function ownProgram(dataDir: string, entry: string): string | undefined {
  const folder = programsFolder(dataDir);
  if (!existsSync(folder)) return undefined;
  const [first = "..", ...below] = relative(realpathSync(folder), realpathSync(entry)).split("/");
  return first === ".." || below.length === 0 ? undefined : first;
}

/** The command line of a program: its own Node, with the words of the present one, and the same arguments. */
export function commandOf(folder: string): [node: string, args: string[]] {
  const entry = join(folder, "rootfs/opt/orchestrator/bin/orchestrator.js");
  return [join(folder, "rootfs/usr/bin/node"), [...process.execArgv, entry, ...process.argv.slice(2)]];
}

/**
 * Turns this process into another program: same process, same parent, nothing of this one is left. So whoever watches over the
 * daemon, as systemd does, sees one that never ended. Returns only by failing.
 * @throws {Failure} unavailable: the system does not start it.
 */
export function become(folder: string): never {
  const [node, args] = commandOf(folder);
  try {
    process.execve?.(node, [node, ...args], process.env);
  } catch (cause) {
    throw failure("unavailable", `the system does not start ${node}`, { cause });
  }
  throw failure("unsupported", "this Node cannot become another program");
}
