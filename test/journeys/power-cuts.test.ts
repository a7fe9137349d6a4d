/** The power goes in the middle of commands. `npm run power-cuts` does the same for as long as you like. */
import { test } from "node:test";
import { assertOnce, openGround } from "./trouble/ground.ts";
import { inWords, powerCut } from "./trouble/power-cuts.ts";
import { trial } from "./trouble/trial.ts";

const rounds = 4;

test("whenever the power goes: all is as it must be afterwards, and every answer and fact comes once", async (t) => {
  await trial(t, async (seed) => {
    await using ground = await openGround(seed);
    for (let n = 0; n < rounds; n++) {
      const round = await powerCut(ground);
      t.diagnostic(`${inWords(round)}; right after ${Math.round(round.convergedMs)} ms`);
    }
    await assertOnce(ground);
  });
});
