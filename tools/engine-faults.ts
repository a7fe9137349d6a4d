/**
 * `npm run engine-faults`: commands on several runtimes while the engine is killed, stands still, answers 500 or does not answer.
 *
 *   npm run engine-faults -- --times 10 --seed 7     every fault so often; a seed decides what is asked, and when
 */
import { parseArgs } from "node:util";
import { newSeed } from "../test/fixtures/chance.ts";
import { engineFaults } from "../test/journeys/trouble/engine-faults.ts";

const { values } = parseArgs({ options: { times: { type: "string" }, seed: { type: "string" } } });
const seed = Number(values.seed ?? newSeed());

console.log(`seed ${seed}`);
const { faults, commands, failed } = await engineFaults(seed, Number(values.times ?? 10), console.log);
const sentence = "nothing lost, made twice, or restarted without need";
console.log(`${faults} faults, ${commands} commands, of which ${failed} failed: ${sentence}`);
