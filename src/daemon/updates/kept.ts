import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { writeWhole } from "../../base/files.ts";
import { systemCode } from "../../base/system-code.ts";
import { programsFolder } from "./program.ts";

const program = v.object({ version: v.string(), sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) });

const kept = v.object({
  /** What starts in place of what is installed. */
  current: v.optional(
    v.object({
      ...program.entries,
      /** What was installed when it was kept: another installation outranks it. */
      installedVersion: v.string(),
      /** Starts since it last proved that it stays up. */
      starts: v.number(),
    }),
  ),
  /** What is tried now. */
  trial: v.optional(
    v.object({
      ...program.entries,
      fromVersion: v.string(),
      installedVersion: v.string(),
      commandId: v.string(),
      probationMs: v.number(),
      /** Whether the hub has to let it in: not where the node has no hub. */
      needsHub: v.boolean(),
      /** Runtimes that ran before, and that it has to see running. */
      ran: v.array(v.string()),
    }),
  ),
  /** How the last trial ended. */
  last: v.optional(
    v.object({
      version: v.string(),
      fromVersion: v.string(),
      commandId: v.string(),
      /** Why it was withdrawn; empty when it was kept. */
      reason: v.string(),
      at: v.number(),
      /** Whether the journal has it. */
      isTold: v.boolean(),
    }),
  ),
});

/** What a node remembers of its daemon's versions: one small file, because it is read before anything else is open. */
export type Kept = v.InferOutput<typeof kept>;
export type Trial = NonNullable<Kept["trial"]>;

const fileIn = (dataDir: string) => join(programsFolder(dataDir), "update.json");

/** What is kept; nothing where there never was an update. @throws {Failure} unavailable: the file cannot be read, and stays. */
export function readKept(dataDir: string): Kept {
  const path = fileIn(dataDir);
  try {
    return v.parse(kept, JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return {};
    const sentence = `${path} cannot be read: move it away, and the node runs what was installed on it`;
    throw failure("unavailable", sentence, { cause });
  }
}

/** Replaces what is kept, whole. */
export async function writeKept(dataDir: string, what: Kept): Promise<void> {
  await writeWhole(fileIn(dataDir), `${JSON.stringify(what, undefined, 2)}\n`);
}
