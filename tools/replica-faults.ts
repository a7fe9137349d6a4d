/**
 * `npm run replica-faults`: kills, ends and stops two hubs, their PostgreSQL and their NATS server while commands are carried out, and
 * says how long the world took to be right again.
 *
 *   npm run replica-faults -- --rounds 100 --seed 7     a seed decides what fails, when, and for how long
 */
import { parseArgs } from "node:util";
import { newSeed } from "../test/fixtures/chance.ts";
import { inWords, openGround, type Round, round } from "../test/journeys/replicas/ground.ts";
import { inSeconds, spreadInWords } from "./measure/spread.ts";

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
  console.log(`${inWords(one)}; right after ${inSeconds(one.convergedMs)}`);
}
const begun = ground.nodes.reduce((sum, node) => sum + node.begun.length, 0);
console.log(
  `\n${rounds.length} rounds, seed ${seed}: ${begun} commands, each begun once, in order, and told once`,
);
console.log("callers heard, and tried again:");
for (const [sentence, times] of ground.operator.heard) console.log(`  ${times} times: ${sentence}`);
console.log(`since the last fault: ${spreadInWords(rounds.map(({ convergedMs }) => convergedMs))}`);
