/** `npm run soak`: whether hub and daemon grow. See `--help`. */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { newSeed } from "../test/fixtures/chance.ts";
import { tempFolder } from "../test/fixtures/folder.ts";
import { openGround } from "./soak/ground.ts";
import { type Done, live } from "./soak/life.ts";
import { report, slopesOf } from "./soak/report.ts";
import { type Sample, sampleOf } from "./soak/samples.ts";

const help = `npm run soak -- [--minutes 60] [--warm-up 15] [--flap-seconds 45] [--seed N] [--json]

Runs the hub and the daemon that ship, with an engine of their own and three runtimes that write logs, while commands and
questions go on and the link between the two breaks again and again. Their memory is sampled twice a minute: resident as
it is, and what is left after a collection of garbage. At the end it prints how fast each grows after the warm-up, and in the last
half of that, in MB per hour with the interval of 19 in 20, and what else is open. Everything is removed afterwards. Needs root,
for the engine.

  --minutes N        how long to watch, the warm-up included (60)
  --warm-up N        minutes that do not count (a quarter of all)
  --warm-up-speed N  meanwhile, commands and questions N times as often: what fills once is full, and compiled (4)
  --flap-seconds N   between two breaks of the link, on average (45)
  --speed N          commands and questions N times as often (1)
  --seed N           what is asked and what breaks, had again
  --json             the samples and the slopes, as JSON on standard output
`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    "warm-up": { type: "string" },
    "warm-up-speed": { type: "string", default: "4" },
    "flap-seconds": { type: "string", default: "45" },
    speed: { type: "string", default: "1" },
    seed: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
/** Between two samples, in milliseconds. */
const sampleMs = 30_000;

if (values.help) process.stdout.write(help);
else await soak();

async function soak(): Promise<void> {
  const minutes = Number(values.minutes);
  const warmUpMinutes = Number(values["warm-up"] ?? minutes / 4);
  const seed = Number(values.seed ?? newSeed());
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());

  tell(`${minutes} minutes, the first ${warmUpMinutes} to warm up, seed ${seed}`);
  using folder = tempFolder();
  await using ground = await openGround(folder.path);
  const programs = { hub: ground.world.hub, daemon: ground.world.daemon };
  const samples: Record<keyof typeof programs, Sample[]> = { hub: [], daemon: [] };
  const done: Done = { commands: 0, questions: 0, failed: 0, flaps: 0 };
  const startedAt = performance.now();
  const isWarm = () => performance.now() - startedAt >= warmUpMinutes * 60_000;
  const pace = () => {
    const speed = Number(values.speed) * (isWarm() ? 1 : Number(values["warm-up-speed"]));
    const flapMs = Number(values["flap-seconds"]) * 1000;
    return { flapMs, questionMs: 500 / speed, commandMs: 3_000 / speed };
  };
  const living = live(ground, { pace, seed, done }, stop.signal);
  while (!stop.signal.aborted && performance.now() - startedAt < minutes * 60_000) {
    await sleep(sampleMs, undefined, { signal: stop.signal }).catch(() => {});
    if (stop.signal.aborted) break;
    const at = (performance.now() - startedAt) / 3_600_000;
    for (const name of ["hub", "daemon"] as const) {
      samples[name].push(await sampleOf(programs[name], folder.path, at));
    }
    tell(`${minutesOf(at)}  hub ${inWords(samples.hub)}  daemon ${inWords(samples.daemon)}  ${deeds(done)}`);
  }
  stop.abort();
  await living;

  const slopes = {
    hub: slopesOf(samples.hub, warmUpMinutes),
    daemon: slopesOf(samples.daemon, warmUpMinutes),
  };
  if (values.json) process.stdout.write(`${JSON.stringify({ seed, done, slopes, samples })}\n`);
  else for (const [name, of] of Object.entries(slopes)) process.stdout.write(report(name, of));
  for (const [name, program] of Object.entries(programs)) {
    const said = program
      .output()
      .split("\n")
      .filter((line) => line.includes("MaxListenersExceededWarning"));
    if (said.length > 0) tell(`${name}: ${said.join("\n")}`);
  }
}

function inWords(samples: readonly Sample[]): string {
  const { residentMb = 0, heapMb = 0, files = 0 } = samples.at(-1) ?? {};
  return `${residentMb.toFixed(1)} MB (heap ${heapMb.toFixed(2)}, ${files} files)`;
}

function deeds({ commands, questions, failed, flaps }: Done): string {
  return `${commands} commands, ${questions} questions, ${failed} failed, ${flaps} flaps`;
}

function minutesOf(hours: number): string {
  return `${(hours * 60).toFixed(1).padStart(5)} min`;
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
