/**
 * `npm test`: runs the tests under `test/`, each file in a process of its own, two at a time, over a fresh build and one
 * engine for all that share it. A skipped test is a failure: a part that is missing must be said, not passed over.
 *
 *   npm test -- journal runtimes/plan     only files whose path contains one of these
 *   npm test -- --name="sent twice"       only tests whose name matches this expression
 */
import { globSync, readFileSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { type EngineAddress, sharedEngineVariable, startEngine } from "../test/fixtures/engine.ts";
import { busyboxImage } from "../test/fixtures/images.ts";
import { buildAll } from "./build.ts";

/** More files at once than cores make every wait in them longer, and the whole no shorter. */
const concurrency = 2;
/** For a whole file; a test that hangs fails with its name instead of stopping everything. */
const fileTimeoutMs = 300_000;
const slowestShown = 10;

const root = new URL("..", import.meta.url).pathname;
const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { name: { type: "string" } },
});

const files = globSync("test/**/*.test.ts", { cwd: root })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`No test file has ${wanted.join(" or ")} in its path.`);
  process.exit(1);
}

const startedAt = performance.now();
await buildAll();
{
  await using opened = new AsyncDisposableStack();
  if (files.some((file) => readFileSync(`${root}${file}`, "utf8").includes("sharedEngine"))) {
    const engine: EngineAddress = opened.use(await startEngine({ name: "shared" }));
    await busyboxImage(engine);
    process.env[sharedEngineVariable] = engine.socketPath;
  }
  process.exitCode = await runFiles();
}

/** Runs the files, prints what came out and where the time went, and returns the exit code. */
async function runFiles(): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  process.once("SIGTERM", () => interrupted.abort());

  const stream = run({
    files: files.map((file) => `${root}${file}`),
    cwd: root,
    concurrency,
    timeout: fileTimeoutMs,
    signal: interrupted.signal,
    ...(options.name !== undefined && { testNamePatterns: [new RegExp(options.name)] }),
  });
  const durations = new Map<string, number>();
  const passedOver: string[] = [];
  let isSuccess = false;
  stream.on("test:summary", ({ file, duration_ms: durationMs, success }) => {
    if (file === undefined) isSuccess = success;
    else durations.set(file, durationMs);
  });
  const note = ({ name, skip, todo }: { name: string; skip?: string | boolean; todo?: string | boolean }) => {
    if (skip !== undefined || todo !== undefined) passedOver.push(name);
  };
  stream.on("test:pass", note);
  stream.on("test:fail", note);
  for await (const text of stream.compose(spec)) process.stdout.write(String(text));

  const slowest = [...durations].sort(([, one], [, other]) => other - one).slice(0, slowestShown);
  console.log(`\nThe slowest of ${durations.size} files:`);
  for (const [file, ms] of slowest) console.log(`${seconds(ms)}  ${file.replace(root, "")}`);
  console.log(`${seconds(performance.now() - startedAt)}  all, with the build and the shared engine`);
  if (passedOver.length > 0)
    console.error(`\nPassed over, which counts as failing: ${passedOver.join("; ")}`);
  return isSuccess && passedOver.length === 0 && !interrupted.signal.aborted ? 0 : 1;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(7)} s`;
}
