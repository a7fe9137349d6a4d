import { test } from "node:test";
import { newSeed } from "../fixtures/chance.ts";
import { engineFaults } from "./trouble/engine-faults.ts";

test("whatever the engine does meanwhile: each command has one honest answer, and nobody else is touched", async (t) => {
  const seed = newSeed();
  t.diagnostic(`seed ${seed}`);
  const { faults, commands, failed } = await engineFaults(seed, 1, (line) => t.diagnostic(line));
  t.diagnostic(`${faults} faults, ${commands} commands, of which ${failed} failed`);
});
