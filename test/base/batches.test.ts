import assert from "node:assert/strict";
import { it } from "node:test";
import { Batches } from "../../src/base/batches.ts";

it("does what comes in one turn together, and what comes meanwhile next, each with its own outcome", async () => {
  const seen: number[][] = [];
  const under = Promise.withResolvers<void>();
  const batches = new Batches<number, number>({
    async work(batch) {
      seen.push([...batch]);
      if (seen.length === 1) await under.promise;
      return batch.map((one) => one * 2);
    },
    ...{ size: 3, limit: 5, what: "numbers" },
  });
  const first = [1, 2].map((one) => batches.add(one));
  while (seen.length === 0) await new Promise(setImmediate);
  const next = [3, 4, 5, 6].map((one) => batches.add(one));
  under.resolve();
  assert.deepEqual(await Promise.all([...first, ...next]), [2, 4, 6, 8, 10, 12]);
  assert.deepEqual(seen, [[1, 2], [3, 4, 5], [6]]);
});

it("tells all of a batch that it failed, goes on with the next, and refuses more than may wait", async () => {
  let isBroken = true;
  const batches = new Batches<number, number>({
    work: (batch) => (isBroken ? Promise.reject(new Error("broken")) : Promise.resolve(batch)),
    ...{ size: 2, limit: 2, what: "numbers" },
  });
  const both = [batches.add(1), batches.add(2)];
  await assert.rejects(batches.add(3), {
    kind: "exhausted",
    message: "2 numbers already wait: try again in a moment",
  });
  for (const one of both) await assert.rejects(one, /broken/);
  isBroken = false;
  assert.equal(await batches.add(4), 4);
});
