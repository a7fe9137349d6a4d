import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { plants } from "./plants.ts";
import { runSeed } from "./run.ts";

const seeds = 130;

test(`${seeds} worlds come to rest as they must`, async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const { broken, last } = await runSeed(seed);
    if (broken === undefined) continue;
    console.error(last.join("\n"));
    assert.fail(`${broken}; again, with everything: npm run simulate -- --seed ${seed} --trace`);
  }
});

test("a seed decides about everything that happens", async () => {
  for (const seed of [3, 4711]) {
    const lines: string[] = [];
    const first = await runSeed(seed);
    const again = await runSeed(seed, (line) => lines.push(line));
    assert.equal(again.hash, first.hash);
    assert.ok(lines.length > 30, "there is something to see");
  }
  assert.notEqual((await runSeed(5)).hash, (await runSeed(6)).hash);
});

test("a defect that is put in is found, and named with its seed", () => {
  for (const name of ["resent-from-wrong-place", "doubt-expires"]) {
    const tool = new URL("../../tools/simulate.ts", import.meta.url).pathname;
    const found = spawnSync(process.execPath, [tool, "--plant", name, "--seeds", "200"], {
      encoding: "utf8",
    });
    assert.equal(found.status, 0, found.stdout + found.stderr);
    assert.match(found.stdout, /^seed \d+: /m);
  }
});

test("there are ten defects at least, each with a name of its own", () => {
  assert.ok(new Set(plants.map(({ name }) => name)).size >= 10);
});
