import assert from "node:assert/strict";
import { test } from "node:test";
import { Health, StartCondition } from "../../../gen/edge/v1/workloads_pb.ts";
import { Failure } from "../../../src/base/failure.ts";
import { checkOrder, type Other, waitsFor } from "../../../src/daemon/wishes/order.ts";
import { spec } from "./life.ts";

const wished = (name: string, ...after: string[]) => {
  const one = spec("plc:1", { name, after: after.map((runtime) => ({ runtime })) });
  return { name, spec: one };
};

test("a start waits for all that it is to come after, and says for whom and why", () => {
  const runs: Other = { desired: "running", isRunning: true, health: Health.UNSPECIFIED, isChecked: false };
  const others: Record<string, Other> = {
    runs,
    well: { ...runs, health: Health.HEALTHY, isChecked: true },
    young: { ...runs, health: Health.STARTING, isChecked: true },
    ill: { ...runs, health: Health.UNHEALTHY, isChecked: true },
    down: { ...runs, isRunning: false },
    stopped: { ...runs, desired: "stopped", isRunning: false },
    leaving: { ...runs, desired: "absent" },
  };
  const why = (...after: [runtime: string, condition?: StartCondition][]) => {
    const { spec: one } = wished("me");
    const list = after.map(([runtime, condition = StartCondition.UNSPECIFIED]) => ({ runtime, condition }));
    one.after = spec("plc:1", { name: "me", after: list }).after;
    return waitsFor(one.after, (name) => others[name]);
  };
  const { HEALTHY } = StartCondition;
  assert.equal(why(), undefined);
  assert.equal(why(["runs"], ["ill"], ["well", HEALTHY]), undefined);
  assert.equal(why(["ghost"]), "it waits for runtime ghost, which does not exist");
  assert.equal(why(["stopped", HEALTHY]), "it waits for runtime stopped, which is stopped");
  assert.equal(why(["leaving"]), "it waits for runtime leaving, which is being deleted");
  assert.equal(
    why(["well", HEALTHY], ["down"], ["young", HEALTHY]),
    "it waits for runtime down, which does not run yet, and for runtime young, which is not known to be healthy yet",
  );
  assert.equal(why(["ill", HEALTHY]), "it waits for runtime ill, which is unhealthy");
  assert.match(why(["runs", HEALTHY]) ?? "", /has no health check/);
});

test("who would wait for itself is refused, with the circle", () => {
  const refused = (one: ReturnType<typeof wished>, ...others: ReturnType<typeof wished>[]) => {
    try {
      checkOrder(one.spec, others);
      return [];
    } catch (thrown) {
      assert.ok(thrown instanceof Failure && thrown.kind === "invalid");
      return thrown.violations.map(({ field, message }) => `${field} ${message}`);
    }
  };
  assert.deepEqual(refused(wished("a", "a")), ["spec.after[0].runtime would wait for itself: a after a"]);
  assert.deepEqual(refused(wished("a", "x", "b"), wished("b", "y", "c"), wished("c", "a")), [
    "spec.after[1].runtime would wait for itself: a after b after c after a",
  ]);
  assert.deepEqual(refused(wished("a", "b", "c"), wished("b", "d"), wished("c", "d"), wished("d")), []);
  const chain = Array.from({ length: 255 }, (_, n) => wished(`n${n}`, `n${n + 1}`));
  assert.deepEqual(refused(wished("n255", "n0"), ...chain).length, 1);
  const all = Array.from({ length: 32 }, (_, n) => `m${n}`);
  const dense = all.map((name, n) => wished(name, ...all.slice(n + 1)));
  assert.deepEqual(refused(wished("top", ...all), ...dense), [], "each is looked at once");
});
