/**
 * `npm run bad-line`: lets everything go wrong with the line between a hub and a node while commands are carried out, and says how
 * long the world took to be right again.
 *
 *   npm run bad-line -- --rounds 100 --seed 7     a seed decides what is asked, what goes wrong, and for how long
 *   npm run bad-line -- --flaps 1000              the line flaps so often first: nothing may be restarted by it
 */
import { parseArgs } from "node:util";
import { newSeed } from "../test/fixtures/chance.ts";
import { type BadRound, badLine, badRoundInWords, flaps } from "../test/journeys/trouble/bad-line.ts";
import { assertOnce, assertUntouched, openGround } from "../test/journeys/trouble/ground.ts";
import { inSeconds, spreadInWords } from "./measure/spread.ts";

const string = { type: "string" } as const;
const { values } = parseArgs({ options: { rounds: string, seed: string, flaps: string } });
const count = Number(values.rounds ?? (values.flaps === undefined ? 100 : 1));
const flapCount = Number(values.flaps ?? 0);
const seed = Number(values.seed ?? newSeed());

console.log(`${flapCount} flaps and ${count} rounds with seed ${seed}`);
await using ground = await openGround(seed, { inNetworkOfEngine: true });
await flaps(ground, flapCount, (done) => {
  if (done % 100 === 0) console.log(`${done} flaps`);
});
await assertUntouched(ground);
const rounds: BadRound[] = [];
for (let n = 0; n < count; n++) {
  const round = await badLine(ground);
  rounds.push(round);
  console.log(`${badRoundInWords(round)}; right after ${inSeconds(round.convergedMs)}`);
}
await assertOnce(ground);
const ups = ground.world.daemon.output().split('"the line is up"').length - 1;
console.log(
  `\n${flapCount} flaps, ${rounds.length} rounds, seed ${seed}; the line came up ${ups} times: nothing restarted without need, every result and every event once`,
);
console.log(`since the last fault: ${spreadInWords(rounds.map(({ convergedMs }) => convergedMs))}`);
