/**
 * `npm test`: runs the tests under `test/`, each file in a process of its own, some at a time, over a fresh build, and one
 * engine and one bundle for all that share them. It fails also when a test was passed over, and when anything is left behind.
 *
 *   npm test -- journal runtimes/plan     only files whose path contains one of these
 *   npm test -- --name="sent twice"       only tests whose name matches this expression
 */
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { sharedEngineVariable, startEngine } from "../test/fixtures/engine.ts";
import { busyboxImage } from "../test/fixtures/images.ts";
import { sharedBundleVariable } from "../test/install/machine.ts";
import { builtProgramVariable } from "../test/journeys/program.ts";
import { buildAll } from "./build.ts";
import { packBundle } from "./bundle.ts";
import { missingKernelFeatures } from "./kernel.ts";
import { leftBehind, leftInEngine } from "./leftovers.ts";

/** More than two cores, because most files wait most of the time: for leases, probes and engines. More than this is no faster. */
const concurrency = 4;
/** A test that hangs fails with its name, before the time of its file is over (overdue.ts). */
const testTimeoutMs = 240_000;
const slowestShown = 10;

const root = new URL("..", import.meta.url).pathname;
const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { name: { type: "string" } },
});
const files = inOrder(
  globSync("test/**/*.test.ts", { cwd: root })
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .sort(),
);
process.exitCode = files.length === 0 ? noSuchFile() : await testAll();

/** Long files mostly wait, short ones reckon: they are mixed, so that the cores are busy all the time, and no long one is among the last. */
function inOrder(all: readonly string[]): string[] {
  const spread = (some: readonly string[], end: number) =>
    some.map((file, at) => ({ file, at: (at / some.length) * end }));
  const long = all.filter(isLong);
  const short = all.filter((file) => !isLong(file));
  return [...spread(long, 0.8), ...spread(short, 1)]
    .sort((one, other) => one.at - other.at)
    .map(({ file }) => file);
}

function isLong(file: string): boolean {
  return /^test\/(install|journeys|netmon|simulation|tools\/start)/.test(file) || mentions(file, "Engine(");
}

function mentions(file: string, word: string): boolean {
  return readFileSync(join(root, file), "utf8").includes(word);
}

function noSuchFile(): number {
  console.error(`No test file has ${wanted.join(" or ")} in its path.`);
  return 1;
}

async function testAll(): Promise<number> {
  const startedAt = Date.now();
  const missing = await missingKernelFeatures();
  if (missing.length > 0) console.log(`This kernel lacks, or this user may not use: ${missing.join(", ")}.`);
  await buildAll();
  // Short, because sockets live below it and a socket's path has 107 bytes.
  const folder = await mkdtemp("/tmp/ot-");
  process.env.TMPDIR = folder;
  process.env[builtProgramVariable] = join(root, "dist/orchestrator.js");
  // Hundreds of processes load the same sources: to strip types and compile once is half of their time.
  process.env.NODE_COMPILE_CACHE = join(root, "dist/compile-cache");

  const left: string[] = [];
  let outcome: Outcome;
  {
    await using opened = new AsyncDisposableStack();
    if (files.some((file) => file.startsWith("test/install/"))) {
      const bundle = join(folder, "bundle.tar.gz");
      opened.defer(() => rm(bundle));
      await packBundle(bundle, { level: 1 });
      process.env[sharedBundleVariable] = bundle;
    }
    if (files.some((file) => mentions(file, "sharedEngine"))) {
      const engine = opened.use(await startEngine({ name: "shared" }));
      await busyboxImage(engine);
      process.env[sharedEngineVariable] = engine.socketPath;
      outcome = await runFiles();
      left.push(...(await leftInEngine(engine.docker)));
    } else {
      outcome = await runFiles();
    }
  }
  left.push(...(await leftBehind({ folder, startedAt })));
  await rmdir(folder).catch(() => {}); // What is in it was named, and stays to be looked at.

  const excused = outcome.passedOver.filter(({ why }) => missing.some((feature) => why.includes(feature)));
  const passedOver = outcome.passedOver.filter((one) => !excused.includes(one));
  tellSlowest(outcome.durations);
  console.log(`${seconds(Date.now() - startedAt)}  all, with the build and the shared engine`);
  tell("Not tried with its real part, because this kernel lacks it", excused.map(inWords));
  tell("Passed over, which counts as failing", passedOver.map(inWords));
  tell("Left behind, which counts as failing", left);
  return outcome.isSuccess && passedOver.length === 0 && left.length === 0 ? 0 : 1;
}

interface Outcome {
  isSuccess: boolean;
  durations: Map<string, number>;
  passedOver: { name: string; why: string }[];
}

/** Runs the files and prints each test as it ends. */
async function runFiles(): Promise<Outcome> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  process.once("SIGTERM", () => interrupted.abort());
  const stream = run({
    files: files.map((file) => join(root, file)),
    cwd: root,
    concurrency,
    timeout: testTimeoutMs,
    execArgv: [`--import=${join(root, "tools/overdue.ts")}`],
    signal: interrupted.signal,
    ...(options.name !== undefined && { testNamePatterns: [new RegExp(options.name)] }),
  });
  const outcome: Outcome = { isSuccess: false, durations: new Map(), passedOver: [] };
  stream.on("test:summary", ({ file, duration_ms: durationMs, success }) => {
    if (file === undefined) outcome.isSuccess = success;
    else outcome.durations.set(file, durationMs);
  });
  const note = ({ name, skip, todo }: { name: string; skip?: string | boolean; todo?: string | boolean }) => {
    const why = skip ?? todo;
    if (why !== undefined) outcome.passedOver.push({ name, why: typeof why === "string" ? why : "" });
  };
  stream.on("test:pass", note);
  stream.on("test:fail", note);
  for await (const text of stream.compose(spec)) process.stdout.write(String(text));
  return { ...outcome, isSuccess: outcome.isSuccess && !interrupted.signal.aborted };
}

function tellSlowest(durations: Map<string, number>): void {
  console.log(`\nThe slowest of ${durations.size} files:`);
  const slowest = [...durations].sort(([, one], [, other]) => other - one).slice(0, slowestShown);
  for (const [file, ms] of slowest) console.log(`${seconds(ms)}  ${file.replace(root, "")}`);
}

function tell(what: string, lines: readonly string[]): void {
  if (lines.length > 0) console.error([`\n${what}:`, ...lines.map((line) => `  ${line}`)].join("\n"));
}

function inWords({ name, why }: { name: string; why: string }): string {
  return why === "" ? name : `${name} (${why})`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(7)} s`;
}
