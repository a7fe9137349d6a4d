import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, readFile, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { failure } from "../../base/failure.ts";
import { makeFolder } from "../../base/files.ts";

const run = promisify(execFile);

/** File systems that keep nothing on a disk, by the numbers that statfs(2) has for them. */
const memoryTypes = new Map([
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
]);

/** What is mounted where there is no memory yet: the first that the kernel knows. A tmpfs may be swapped out unless told not to. */
const mounts = [
  ["-t", "tmpfs", "-o", "noswap,size=8m,mode=0711,nosuid,nodev,noexec"],
  ["-t", "ramfs", "-o", "mode=0711,nosuid,nodev,noexec"],
];

/**
 * A folder of this daemon on a memory file system, mode 0700, below `path`: made, and mounted if need be and allowed.
 * @throws {Failure} unavailable: there is none, and what to do. A secret is never written to a disk.
 */
export async function memoryFolder(path: string, instanceId: string): Promise<string> {
  try {
    makeFolder(path, 0o711);
    if (!(await isMemory(path))) await mountMemory(path);
    const own = join(path, instanceId);
    makeFolder(own, 0o700);
    await chmod(own, 0o700);
    return own;
  } catch (cause) {
    throw failure("unavailable", problemAt(path), { cause });
  }
}

/** Why there would be no such folder, as far as can be seen without making anything; empty when there would be one. */
export async function memoryProblem(path: string): Promise<string> {
  try {
    let standing = path;
    while (!existsSync(standing)) standing = dirname(standing);
    return (await isMemory(standing)) || (await mayMount()) ? "" : problemAt(path);
  } catch {
    return problemAt(path);
  }
}

/** The capability to mount, CAP_SYS_ADMIN, is this bit. */
const sysAdmin = 21n;

async function mayMount(): Promise<boolean> {
  const [, effective = "0"] =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile("/proc/self/status", "utf8")) ?? [];
  return ((BigInt(`0x${effective}`) >> sysAdmin) & 1n) === 1n;
}

function problemAt(path: string): string {
  const how = `mount -t tmpfs -o noswap,size=8m,mode=0711 tmpfs ${path}`;
  const next = `Mount it as root (${how}), or name a folder on a tmpfs with credentials.lent_folder`;
  return `secrets cannot be lent: ${path} is not in memory. ${next}`;
}

/** Whether what is written below a path stays in memory. */
async function isMemory(path: string): Promise<boolean> {
  return memoryTypes.has((await statfs(path)).type);
}

async function mountMemory(path: string): Promise<void> {
  const problems: unknown[] = [];
  for (const how of mounts) {
    try {
      await run("mount", [...how, "orchestrator-secrets", path], { timeout: 5_000 });
      if (await isMemory(path)) return;
    } catch (thrown) {
      problems.push(thrown);
    }
  }
  throw new AggregateError(problems, `no memory file system can be mounted at ${path}`);
}
