/**
 * `npm run task-crashes`: kills the daemon while tasks wait, start, run and are cancelled, and says what became of them.
 *
 *   npm run task-crashes -- --rounds 200 --seed 7     a seed decides what is asked and when the daemon dies
 */
import { parseArgs } from "node:util";
import { newSeed } from "../test/fixtures/chance.ts";
import {
  assertOnceAndNothingLeft,
  type CrashRound,
  openCrashGround,
  taskCrash,
} from "../test/journeys/trouble/task-crashes.ts";
import { inSeconds, spreadInWords } from "./measure/spread.ts";

const { values } = parseArgs({ options: { rounds: { type: "string" }, seed: { type: "string" } } });
const count = Number(values.rounds ?? 200);
const seed = Number(values.seed ?? newSeed());

console.log(`${count} rounds with seed ${seed}`);
await using ground = await openCrashGround(seed);
const rounds: CrashRound[] = [];
const ends = new Map<string, number>();
for (let n = 0; n < count; n++) {
  const round = await taskCrash(ground);
  rounds.push(round);
  for (const [end, times] of Object.entries(round.ends)) ends.set(end, (ends.get(end) ?? 0) + times);
  const told = Object.entries(round.ends).map(([end, times]) => `${times} ${end}`);
  const settled = inSeconds(round.settledMs);
  console.log(
    `${round.number}: killed after ${round.killedAfterMs} ms; ${told.join(", ")}; right after ${settled}`,
  );
}
await assertOnceAndNothingLeft(ground);
console.log(
  `\n${rounds.length} rounds, seed ${seed}, ${ground.asked.length} tasks: each ended once, none ran twice, nothing is left`,
);
for (const [end, times] of [...ends].toSorted(([, one], [, other]) => other - one))
  console.log(`  ${times} ${end}`);
console.log(`until all was right again: ${spreadInWords(rounds.map(({ settledMs }) => settledMs))}`);
