import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { YAMLError } from "yaml";
import { evidence } from "./evidence.ts";
import { type Failure, failure } from "./failure.ts";

/** More than anybody writes by hand; a device file or a mistaken log is refused before it fills the memory. */
const maxFileBytes = 1 << 20;

/** How often a file is read that somebody writes meanwhile, and the pause between two times, in milliseconds. */
const again = { tries: 100, pauseMs: 10 };

/** A file that is read, and what it is for people: `the settings file`. */
export interface Source {
  path: string;
  what: string;
  /** The most that is read of it; a mebibyte when absent. */
  maxBytes?: number;
}

/**
 * The values of a YAML or JSON file (JSON is YAML), as nested maps. `what` says which file it is, in every failure.
 * @throws {Failure} invalid: the file cannot be read, or is not what it should be; names the file and the line.
 */
export async function readYamlFile(path: string, what: string): Promise<Map<unknown, unknown>> {
  const source = { path, what };
  const text = await readText(source);
  // Loaded only when there is a file: it is 15 MB of a program that must be small.
  // By its default: a bundle gives a CommonJS module that is loaded late no names of its own.
  const { parseDocument } = (await import("yaml")).default;
  let document: ReturnType<typeof parseDocument>;
  try {
    document = parseDocument(text, { uniqueKeys: true, prettyErrors: true, logLevel: "error" });
  } catch (thrown) {
    throw refused(source, "is not YAML or JSON", thrown);
  }
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw refused(source, whyNotYaml(problem), problem);
  let values: unknown;
  try {
    values = document.toJS({ mapAsMap: true, maxAliasCount: 100 });
  } catch (thrown) {
    throw refused(source, "has aliases that lead nowhere or to too much", thrown);
  }
  if (values === null || values === undefined) return new Map();
  if (values instanceof Map) return values;
  throw refused(source, `holds ${evidence(values)}, not keys with values such as "level: info"`);
}

/** What is wrong with a YAML text, and on which line. */
export function whyNotYaml({ linePos, message }: Pick<YAMLError, "linePos" | "message">): string {
  const line = linePos?.[0].line;
  const where = line === undefined ? "" : ` (line ${line})`;
  const sentence = message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? "";
  return `is not valid YAML or JSON${where}: ${printable(sentence)}`;
}

/**
 * The text of a file as it was at one moment: one that is just being written in its place is read again, for it may look empty.
 * @throws {Failure} invalid: it cannot be read, is too long, or is no text.
 */
export async function readText(source: Source): Promise<string> {
  for (let tries = 0; tries < again.tries; tries++) {
    const text = await readOnce(source);
    if (text !== undefined) return text;
    await sleep(again.pauseMs);
  }
  throw refused(source, "is written without end: give it when it is whole");
}

/** Undefined when it was changed meanwhile. */
async function readOnce(source: Source): Promise<string | undefined> {
  const { maxBytes = maxFileBytes } = source;
  let file: FileHandle | undefined;
  try {
    // O_NONBLOCK by name: opening a named pipe would otherwise wait for a writer for ever.
    const { O_RDONLY, O_NONBLOCK } = (await import("node:fs")).constants;
    file = await open(source.path, O_RDONLY | O_NONBLOCK);
    const stat = await file.stat({ bigint: true });
    if (stat.isDirectory()) throw refused(source, "is a folder; a file is needed");
    if (!stat.isFile()) throw refused(source, "is not a regular file");
    if (stat.size > maxBytes)
      throw refused(source, `is ${stat.size} bytes long; at most ${maxBytes} are read`);
    const bytes = await file.readFile();
    const after = await file.stat({ bigint: true });
    const isSame = after.size === stat.size && after.mtimeNs === stat.mtimeNs;
    return isSame ? decoded(source, bytes) : undefined;
  } catch (thrown) {
    throw translated(source, thrown);
  } finally {
    await file?.close();
  }
}

/** Bytes as text. @throws {Failure} invalid: they are none. */
export function decoded(source: Source, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw refused(source, "is not text in UTF-8", thrown);
  }
}

function translated(source: Source, thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !("code" in thrown)) return thrown;
  if (thrown.code === "ENOENT" || thrown.code === "ENOTDIR") return refused(source, "is not there", thrown);
  if (thrown.code === "EACCES" || thrown.code === "EPERM") {
    return refused(source, "may not be read by this user: check its owner and its mode", thrown);
  }
  return refused(source, "cannot be read", thrown);
}

/** A failure about a file. */
export function refused({ path, what }: Source, sentence: string, cause?: unknown): Failure {
  return failure("invalid", `${what} ${printable(path)} ${sentence}`, cause === undefined ? {} : { cause });
}

function printable(text: string): string {
  return evidence(text).slice(1, -1);
}
