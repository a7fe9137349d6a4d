/** A daemon is killed while it executes tasks. `npm run task-crashes` does the same for as long as you like. */
import { test } from "node:test";
import { testSeed } from "../fixtures/chance.ts";
import { assertOnceAndNothingLeft, openCrashGround, taskCrash } from "./trouble/task-crashes.ts";

const rounds = 2;

test("whenever the daemon dies: each task ends once, none runs twice, and no container is left", async (t) => {
  const seed = testSeed;
  t.diagnostic(`seed ${seed}`);
  await using ground = await openCrashGround(seed);
  for (let n = 0; n < rounds; n++) {
    const { number, killedAfterMs, ends, settledMs } = await taskCrash(ground);
    const told = Object.entries(ends).map(([end, times]) => `${times} ${end}`);
    t.diagnostic(
      `${number}: killed after ${killedAfterMs} ms; ${told.join(", ")}; ${Math.round(settledMs)} ms`,
    );
  }
  await assertOnceAndNothingLeft(ground);
});
