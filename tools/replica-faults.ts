/**
 * `npm run replica-faults`: kills, ends and stops two hubs, their PostgreSQL and their NATS server while commands are carried out, and
 * says how long the world took to be right again.
 *
 *   npm run replica-faults -- --rounds 100 --seed 7     a seed decides what fails, when, and for how long
 */
import { parseArgs } from "node:util";
import { quantile } from "../bench/figures.ts";
import { newSeed } from "../test/fixtures/chance.ts";
import { inWords, openGround, type Round, round } from "../test/journeys/replicas/ground.ts";

const string = { type: "string" } as const;
const { values } = parseArgs({ options: { rounds: string, seed: string } });
const count = Number(values.rounds ?? 20);
const seed = Number(values.seed ?? newSeed());

console.log(`${count} rounds with seed ${seed}`);
await using ground = await openGround(seed, { nodes: 6 });
const rounds: Round[] = [];
for (let n = 0; n < count; n++) {
  const one = await round(ground);
  rounds.push(one);
  console.log(`${inWords(one)}; right after ${seconds(one.convergedMs)}`);
}
const begun = ground.nodes.reduce((sum, node) => sum + node.begun.length, 0);
console.log(
  `\n${rounds.length} rounds, seed ${seed}: ${begun} commands, each begun once, in order, and told once`,
);
console.log("callers heard, and tried again:");
for (const [sentence, times] of ground.operator.heard) console.log(`  ${times} times: ${sentence}`);
const times = rounds.map(({ convergedMs }) => convergedMs);
const at = (share: number) => seconds(quantile(times, share));
console.log(`since the last fault: median ${at(0.5)}, 9 of 10 within ${at(0.9)}, slowest ${at(1)}`);

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
