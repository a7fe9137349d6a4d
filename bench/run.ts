/**
 * npm run bench: measures, prints, and writes bench/results.md. Each benchmark has its baseline in the same run, because machines
 * differ and are noisy; ratios travel better than milliseconds. `npm run bench -- line` runs those whose name contains `line`.
 */

import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { buildAll } from "../tools/build.ts";
import { type Section, toMarkdown } from "./figures.ts";

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
await buildAll();
const sections: Section[] = [];
for (const [name, load] of Object.entries(benchmarks)) {
  if (!name.includes(only)) continue;
  process.stderr.write(`bench: ${name}\n`);
  const section = await (await load()).measure();
  sections.push(section);
  process.stdout.write(`${toMarkdown([section])}\n`);
}
if (only === "") {
  const machine = `${cpus().length} CPUs (${cpus()[0]?.model.trim() ?? "unknown"}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
  const head = `# Results\n\nMade by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: ${machine}. The machine is shared and noisy: read the ratios.\n`;
  await writeFile(new URL("results.md", import.meta.url), `${head}\n${toMarkdown(sections)}`);
}
