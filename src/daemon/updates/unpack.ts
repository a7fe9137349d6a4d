import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { chmod, mkdir, open, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { failure } from "../../base/failure.ts";
import { commandOf } from "./program.ts";

const run = promisify(execFile);

/** A machine that is busy starts a program late. */
const tryMs = 60_000;

/**
 * Unpacks a bundle into a folder, whole or not at all, and looks whether its daemon starts here.
 * @returns its version. @throws {Failure} invalid: it is no bundle, or not one for this machine.
 */
export async function unpack(bundle: string, folder: string, signal: AbortSignal): Promise<string> {
  const draft = `${folder}.part`;
  await rm(draft, { recursive: true, force: true });
  try {
    await unpackAll(bundle, draft, signal);
    const [version, arch] = await Promise.all(["VERSION", "ARCH"].map((name) => wordIn(join(draft, name))));
    if (arch !== process.arch) {
      throw failure(
        "invalid",
        `the bundle is for ${arch} and this machine is ${process.arch}: take the other one`,
      );
    }
    await mustStart(draft, version ?? "", signal);
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
    return version ?? "";
  } catch (thrown) {
    await rm(draft, { recursive: true, force: true });
    throw thrown;
  }
}

async function unpackAll(bundle: string, folder: string, signal: AbortSignal): Promise<void> {
  const entries = createReadStream(bundle, { signal }).pipe(createGunzip()).pipe(extract());
  try {
    for await (const entry of entries) {
      const { name, type, mode, linkname } = entry.header;
      // The first part of each name is the bundle's own.
      const inside = normalize(name).split("/").slice(1).join("/");
      if (inside.split("/").includes("..") || name.startsWith("/"))
        throw new Error(`${name} leads out of it`);
      const path = join(folder, inside);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      if (type === "symlink") await symlink(linkname ?? "", path);
      else if (type === "file") await writeSynced(path, await buffer(entry), mode ?? 0o644);
      entry.resume();
    }
  } catch (cause) {
    signal.throwIfAborted();
    const said = cause instanceof Error ? cause.message : String(cause);
    throw failure("invalid", `what came is no bundle: ${said}`, { cause });
  }
}

async function writeSynced(path: string, content: Buffer, mode: number): Promise<void> {
  await writeFile(path, content, { mode: 0o600 });
  await chmod(path, mode & 0o755);
  await using file = await open(path, "r");
  await file.sync();
}

async function wordIn(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw failure("invalid", "what came is no bundle: it does not say its version", { cause });
  }
}

/** Before anything is given up for it. */
async function mustStart(folder: string, version: string, signal: AbortSignal): Promise<void> {
  const [node, [...args]] = commandOf(folder);
  const entry = args.find((one) => one.startsWith(folder)) ?? "";
  try {
    const { stdout } = await run(node, [entry, "--version"], { signal, timeout: tryMs, env: {} });
    if (stdout.trim().endsWith(version)) return;
    throw new Error(`it says that it is ${stdout.trim()}`);
  } catch (cause) {
    signal.throwIfAborted();
    const said = cause instanceof Error ? cause.message : String(cause);
    throw failure("invalid", `version ${version} does not start on this machine: ${said}`, { cause });
  }
}
