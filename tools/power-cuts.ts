/**
 * `npm run power-cuts`: imitates power cuts in the middle of commands, and says how long the world took to be right again.
 *
 *   npm run power-cuts -- --rounds 200 --seed 7     a seed decides what is asked and when the power goes
 */
import { parseArgs } from "node:util";
import { newSeed } from "../test/fixtures/chance.ts";
import { assertOnce, openGround } from "../test/journeys/trouble/ground.ts";
import { inWords, powerCut, type Round } from "../test/journeys/trouble/power-cuts.ts";
import { inSeconds, spreadInWords } from "./measure/spread.ts";

const { values } = parseArgs({ options: { rounds: { type: "string" }, seed: { type: "string" } } });
const count = Number(values.rounds ?? 200);
const seed = Number(values.seed ?? newSeed());

console.log(`${count} rounds with seed ${seed}`);
await using ground = await openGround(seed);
const rounds: Round[] = [];
for (let n = 0; n < count; n++) {
  const round = await powerCut(ground);
  rounds.push(round);
  const times = `right after ${inSeconds(round.convergedMs)}, ${inSeconds(round.sincePowerOnMs)} since power on`;
  console.log(`${inWords(round)}; ${times}`);
}
await assertOnce(ground);
console.log(`\n${rounds.length} rounds, seed ${seed}: all as it must be, every result and every event once`);
tell(
  "since engine and daemon answer",
  rounds.map(({ convergedMs }) => convergedMs),
);
tell(
  "since power on",
  rounds.map(({ sincePowerOnMs }) => sincePowerOnMs),
);

function tell(what: string, times: readonly number[]): void {
  const late = times.filter((one) => one > 5_000).length;
  console.log(`${what}: ${spreadInWords(times)}; over 5 s: ${late}`);
}
