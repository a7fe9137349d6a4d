import { resolve } from "node:path";
import type { Command } from "commander";
import { formatBytes } from "../base/quantity.ts";
import { version } from "../wire/version.ts";
import { answerOf } from "./doctor/index.ts";
import type { Run } from "./run.ts";
import { type Packed, packFiles } from "./support-pack.ts";
import { type Part, supportParts } from "./support-parts.ts";
import { redact, redactText } from "./support-redact.ts";
import { rows } from "./table.ts";

interface BundleFlags {
  output?: string;
  netmonSocket?: string;
  offline: boolean;
}

/** How long a part may take, in milliseconds: the doctor, the longest of them, has its own limits below it. */
const partMs = 8_000;
/** More than so much of a part is left out from its beginning, where a log is oldest. */
const maxPartBytes = 2 << 20;

/** What the manifest says of a part. */
interface Entry {
  name: string;
  bytes: number;
  /** Why it is not there, or not whole; empty when it is. */
  missing: string;
}

/** `orchestrator support-bundle` */
export function defineSupportBundle(program: Command, run: Run): void {
  program
    .command("support-bundle")
    .description("pack what helps to find a fault on this machine, without secrets, into one file")
    .option("-o, --output <file>", "where it is written: a new .tar.gz file, in this folder if not said")
    .option("--offline", "do not ask the hub: then nothing leaves this machine", false)
    .option("--netmon-socket <path>", "netmon's socket")
    .action(async ({ output, ...options }: BundleFlags) => {
      const { clock, cwd, terminal, flags } = run;
      const nowMs = clock.now();
      const at = new Date(nowMs).toISOString();
      const stamp = at.slice(0, 19).replaceAll(/[-:]/g, "");
      const path = resolve(cwd, output ?? `orchestrator-support-${stamp}Z.tar.gz`);
      const { files, entries } = await collect(run, supportParts(run, options));
      const manifest = { madeAt: at, version, entries };
      const first = { name: "manifest.json", content: jsonOf(manifest) };
      await packFiles(path, [first, ...files], nowMs);
      terminal.out(
        flags.json ? `${JSON.stringify({ path, ...manifest }, null, 2)}\n` : told(run, path, entries),
      );
    });
}

function told({ terminal }: Run, path: string, entries: readonly Entry[]): string {
  const lines = entries.map(({ name, bytes, missing }) => [
    name,
    bytes === 0 ? "" : formatBytes(bytes),
    missing,
  ]);
  const table = rows(terminal, ["FILE", "SIZE", "NOT THERE, BECAUSE"], lines, "nothing");
  return `${table}\n${path}\nSecrets were taken out by name and by shape. Look at it before you send it: tar -xzf ${path}\n`;
}

/** All parts, side by side: one that cannot be had leaves its reason in the manifest. */
async function collect(run: Run, parts: readonly Part[]): Promise<{ files: Packed[]; entries: Entry[] }> {
  const found = await Promise.all(
    parts.map(async ({ name, collect }) => {
      const answer = await answerOf(partMs, run.signal, collect);
      if (answer.is === "unknown") return { entry: { name, bytes: 0, missing: redactText(answer.problem) } };
      const content = contentOf(answer.value);
      const isCut = content.length > maxPartBytes;
      const kept = isCut ? content.subarray(content.length - maxPartBytes) : content;
      const missing = isCut ? `the first ${formatBytes(content.length - maxPartBytes)} of it` : "";
      return { entry: { name, bytes: kept.length, missing }, file: { name, content: kept } };
    }),
  );
  return {
    files: found.flatMap(({ file }) => file ?? []),
    entries: found.map(({ entry }) => entry),
  };
}

/** What is written of a part: nothing goes past here without being redacted. */
function contentOf(value: unknown): Buffer {
  if (typeof value === "string") return Buffer.from(redactText(value));
  return jsonOf(redact(value));
}

function jsonOf(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
}
