import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { failure } from "../../base/failure.ts";
import { decoded, readText } from "../../base/yaml-file.ts";

/** Where files are looked for, and what is piped in. */
export interface From {
  cwd: string;
  terminal: { input(maxBytes: number, signal: AbortSignal): Promise<Uint8Array> };
  signal: AbortSignal;
}

/** A text that describes wishes, and what it is called for people. */
export interface SourceText {
  label: string;
  text: string;
}

/** What a command carries at most is a little more: nothing larger could be sent. */
const maxBytes = 960 << 10;

/** More files than anybody means: a folder that was mistyped is not read whole. */
const maxFiles = 1_000;

/**
 * The texts that `-f` names: a file, `-` for what is piped in, or a folder for its `*.yaml`, `*.yml` and `*.json`, by name.
 * @throws {Failure} invalid: one cannot be read, is too long or no text; a folder has none.
 */
export async function readSources(paths: readonly string[], from: From): Promise<SourceText[]> {
  const found: SourceText[] = [];
  let isPipeRead = false;
  for (const path of paths) {
    if (path === "-") {
      if (isPipeRead) throw failure("invalid", "-f - is given twice, and what is piped in can be read once");
      isPipeRead = true;
      const source = { path: "-", what: "the piped input", maxBytes };
      found.push({ label: "-", text: decoded(source, await from.terminal.input(maxBytes, from.signal)) });
    } else found.push(...(await readPath(path, from)));
  }
  return found;
}

async function readPath(path: string, { cwd }: From): Promise<SourceText[]> {
  const full = resolve(cwd, path);
  const isFolder = await stat(full).then(
    (one) => one.isDirectory(),
    () => false, // Why it cannot be read is said below.
  );
  if (!isFolder) return [{ label: path, text: await readText({ path: full, what: "the file", maxBytes }) }];
  const names = (await readdir(full)).filter((name) => /\.(?:ya?ml|json)$/.test(name)).sort();
  if (names.length === 0) throw failure("invalid", `the folder ${full} has no *.yaml, *.yml or *.json`);
  if (names.length > maxFiles) {
    throw failure("invalid", `the folder ${full} has ${names.length} files; at most ${maxFiles} are read`);
  }
  return await Promise.all(
    names.map(async (name) => ({
      label: join(path, name),
      text: await readText({ path: join(full, name), what: "the file", maxBytes }),
    })),
  );
}
