/**
 * `npm run simulate`: lives of a hub and its nodes on a simulated clock, network, disk and engine, each decided by a seed. What must
 * hold is in docs/reliability.md; how it is done, in test/simulation.
 *
 *   npm run simulate -- --seeds 10000            as many worlds, from seed 1 on
 *   npm run simulate -- --seeds 500 --from 7000  others
 *   npm run simulate -- --seed 4711 --trace      one of them again, with all that happens in it
 *   npm run simulate -- --plant no-fence         until a defect that is put in on purpose is found
 *   npm run simulate -- --plants                 the same with each of them
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { plant, plants } from "../test/simulation/plants.ts";
import type { Outcome } from "../test/simulation/run.ts";

const { values: options } = parseArgs({
  options: {
    seeds: { type: "string" },
    from: { type: "string" },
    seed: { type: "string" },
    plant: { type: "string" },
    plants: { type: "boolean" },
    trace: { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean" },
  },
});

/** Within so many seeds a defect must be found. */
const plantSeeds = 1_000;
const progressEveryMs = 10_000;
const usage = `Usage: npm run simulate -- [options]
  --seeds N      how many worlds (100); with --plant, at most (${plantSeeds})
  --from M       the first seed (1)
  --seed N       this one alone
  --trace        all that happens
  --plant NAME   with a defect put in, until it is found: ${plants.map(({ name }) => name).join(", ")}
  --plants       each of those defects in turn
  --json         one object per line
Ends with 1 when something was broken, or a defect was not found.`;

if (options.help) console.log(usage);
else if (options.plants) process.exitCode = (await eachPlant()) ? 0 : 1;
else process.exitCode = (await simulate()) ? 0 : 1;

/** Runs seeds; true when all is as it must be, or the defect that was put in was found. */
async function simulate(): Promise<boolean> {
  const planted = options.plant === undefined ? undefined : plant(options.plant);
  // Loaded now, so that a defect is in what it loads.
  const { runSeed } = await import("../test/simulation/run.ts");
  const first = Number(options.seed ?? options.from ?? 1);
  const count = options.seed === undefined ? Number(options.seeds ?? (planted ? plantSeeds : 100)) : 1;
  const startedAt = Date.now();
  const sum = { seeds: 0, broken: 0, commands: 0, virtualMs: 0 };
  let toldAt = startedAt;
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await runSeed(seed, options.trace ? console.log : undefined);
    sum.seeds++;
    sum.commands += outcome.commands;
    sum.virtualMs += outcome.tookMs;
    if (outcome.broken !== undefined) {
      sum.broken++;
      tell(outcome);
      if (planted) break;
    } else if (options.seed !== undefined) tell(outcome);
    if (Date.now() - toldAt > progressEveryMs && !options.json) {
      toldAt = Date.now();
      console.log(`${sum.seeds} of ${count} seeds, ${sum.broken} broken`);
    }
  }
  const seconds = (Date.now() - startedAt) / 1000;
  if (options.json) console.log(JSON.stringify({ ...sum, seconds, ...(planted && { plant: planted.name }) }));
  else {
    const hours = (sum.virtualMs / 3_600_000).toFixed(1);
    const worlds = `${sum.seeds} seeds from ${first}: ${sum.commands} commands in ${hours} hours of their time, ${seconds.toFixed(1)} s of ours`;
    console.log(`${worlds}; ${sum.broken === 0 ? "nothing was broken" : `${sum.broken} broken`}`);
  }
  return planted ? sum.broken > 0 : sum.broken === 0;
}

function tell({ seed, broken, hash, last }: Outcome): void {
  if (options.json) {
    console.log(JSON.stringify({ seed, broken, hash, last }));
    return;
  }
  if (broken === undefined) console.log(`seed ${seed}: all as it must be; trace ${hash}`);
  else {
    if (!options.trace && !options.plant) for (const line of last) console.log(line);
    console.log(`seed ${seed}: ${broken}`);
    if (!options.plant) console.log(`  again, with everything: npm run simulate -- --seed ${seed} --trace`);
  }
}

/** Each defect in a process of its own, because it stays in what was loaded. */
async function eachPlant(): Promise<boolean> {
  let areFound = true;
  for (const { name, what } of plants) {
    const seeds = options.seeds ?? String(plantSeeds);
    const child = spawn(
      process.execPath,
      [import.meta.filename, "--plant", name, "--seeds", seeds, "--json"],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const [said] = await Promise.all([text(child.stdout), once(child, "close")]);
    const found = said
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Partial<Outcome>)
      .find(({ broken }) => typeof broken === "string");
    areFound &&= found !== undefined;
    const told = found ? `seed ${found.seed}: ${found.broken}` : `not found in ${seeds} seeds`;
    console.log(`${name} (${what})\n  ${told}`);
  }
  return areFound;
}
