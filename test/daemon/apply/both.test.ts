import assert from "node:assert/strict";
import { test } from "node:test";
import { failure, invalidField, refusedFields } from "../../../src/base/failure.ts";
import { both } from "../../../src/daemon/apply/both.ts";

const throwing = (why: Error) => () => {
  throw why;
};
const denied = (field: string) => refusedFields("denied", [{ field, message: "is not allowed" }]);

test("what is wrong with runtimes and with agents is told at once", async () => {
  assert.deepEqual(
    await both(
      () => 1,
      async () => 2,
    ),
    [1, 2],
  );
  const one = throwing(invalidField("runtimes[0].image", "is required"));
  await assert.rejects(
    both(one, async () => 2),
    { kind: "invalid", message: "runtimes[0].image: is required" },
  );
  await assert.rejects(both(one, throwing(denied("agents[0].image"))), {
    kind: "invalid",
    message: "runtimes[0].image: is required; agents[0].image: is not allowed",
  });
  const [first, second] = [throwing(denied("runtimes[0].image")), throwing(denied("agents[0].image"))];
  await assert.rejects(both(first, second), { kind: "denied" });
  await assert.rejects(both(throwing(failure("exhausted", "too many")), second), { kind: "exhausted" });
});
