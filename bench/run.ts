/**
 * npm run bench: measures, prints, and writes what was measured into bench/results.md; sections that were not stay as they are. Each
 * benchmark has its baseline in the same run, because machines differ and are noisy; ratios travel better than milliseconds.
 * `npm run bench -- fleet` runs those whose name contains `fleet`.
 */
import { readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { buildAll } from "../tools/build.ts";
import { type Section, sectionText } from "./figures.ts";
import { merged } from "./results.ts";

const benchmarks = {
  "added-time": () => import("./added-time.ts"),
  "round-trip": () => import("./round-trip.ts"),
  daemon: () => import("./daemon.ts"),
  apply: () => import("./apply.ts"),
  idle: () => import("./idle.ts"),
  "idle-bytes": () => import("./idle-bytes.ts"),
  recovery: () => import("./recovery.ts"),
  cells: () => import("./cells.ts"),
  tasks: () => import("./tasks.ts"),
  fleet: () => import("./fleet.ts"),
  replicas: () => import("./replicas.ts"),
  netmon: () => import("./netmon.ts"),
  lan: () => import("./lan.ts"),
  topics: () => import("./topics.ts"),
  policy: () => import("./policy.ts"),
} satisfies Record<string, () => Promise<{ measure(): Promise<Section> }>>;

const [only = ""] = process.argv.slice(2);
const results = new URL("results.md", import.meta.url);
const day = new Date().toISOString().slice(0, 10);
const machine = `${cpus().length} CPUs (${cpus()[0]?.model.trim() ?? "unknown"}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;

await buildAll();
for (const [name, load] of Object.entries(benchmarks)) {
  if (!name.includes(only)) continue;
  process.stderr.write(`bench: ${name}\n`);
  const section = await (await load()).measure();
  const text = sectionText(section, `Measured on ${day}: ${machine}.`);
  process.stdout.write(`${text}\n`);
  await writeFile(results, merged(await readFile(results, "utf8"), text));
}
