import assert from "node:assert/strict";
import { test } from "node:test";
import { DesiredState, type FieldChange, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Ipv6Mode } from "../../../gen/edge/v1/vnics_pb.ts";
import { RestartMode } from "../../../gen/edge/v1/workloads_pb.ts";
import { needsContainer } from "../../../src/daemon/wishes/in-place.ts";
import { planUpdate } from "../../../src/daemon/wishes/update-plan.ts";
import { type SpecInit, spec } from "../runtimes/life.ts";
import { wish } from "../runtimes/planned.ts";

const before = { name: "plc1" };
const planned = (was: SpecInit, is: SpecInit, desired: "running" | "stopped" = "running") => {
  const from = wish({ spec: spec("plc:1", { ...before, ...was }), desired });
  return planUpdate(from, spec("plc:1", { ...before, ...is }));
};
const inShort = ({ field, before, after, inPlace }: FieldChange) =>
  `${field} ${before} > ${after}${inPlace ? " in place" : ""}`;

test("every field of a wish is decided: it is changed in place, or needs another container", () => {
  const fields = RuntimeSpecSchema.fields.map(({ localName }) => localName);
  const beside = ["name", "desired"];
  assert.deepEqual(Object.keys(needsContainer).sort(), fields.filter((one) => !beside.includes(one)).sort());
});

test("a wish that means the same changes nothing, whatever its form", () => {
  const plan = planned(
    { env: [{ name: "A", value: "1" }] },
    { env: [{ name: "A", value: "1" }], volumePath: "/data" },
  );
  assert.deepEqual(
    [plan.changes, plan.isSwap, plan.interrupts, plan.reason],
    [[], false, false, "it is as wished"],
  );
});

test("what the daemon alone acts upon, and what the engine can change, needs no other container", () => {
  const plan = planned(
    { labels: [{ key: "line", value: "1" }] },
    {
      ...{ labels: [{ key: "line", value: "2" }], restart: RestartMode.NEVER, stopGraceMs: 5000 },
      ...{ resources: { memoryBytes: 64n << 20n, pidsLimit: 100n }, health: { tcp: { port: 80 } } },
      ...{ after: [{ runtime: "broker" }], vnics: [{ name: "lan0", parent: "eth0" }] },
    },
  );
  assert.deepEqual([plan.isSwap, plan.interrupts], [false, false]);
  assert.equal(plan.reason, "all that differs is changed while it goes on");
  assert.deepEqual(plan.changes.map(inShort), [
    'spec.resources  > {"memoryBytes":"67108864","pidsLimit":"100"} in place',
    "spec.stop_grace_ms 1000 > 5000 in place",
    'spec.labels [{"key":"line","value":"1"}] > [{"key":"line","value":"2"}] in place',
    'spec.vnics  > [{"name":"lan0","parent":"eth0"}] in place',
    'spec.restart  > "RESTART_MODE_NEVER" in place',
    'spec.health  > {"tcp":{"port":80}} in place',
    'spec.after  > [{"runtime":"broker"}] in place',
  ]);
});

test("another container is needed for the rest, and the plan says why", () => {
  const plan = planned(
    { env: [{ name: "A", value: "secret" }], resources: { memoryBytes: 64n << 20n } },
    {
      env: [
        { name: "A", value: "other" },
        { name: "B", value: "2" },
      ],
      ports: [{ nodePort: 1, runtimePort: 2 }],
    },
  );
  assert.deepEqual([plan.isSwap, plan.interrupts], [true, true]);
  assert.deepEqual(plan.changes.map(inShort), [
    'spec.env ["A"] > ["A","B"]',
    'spec.resources {"memoryBytes":"67108864"} > ',
    'spec.ports  > [{"nodePort":1,"runtimePort":2}]',
  ]);
  assert.match(plan.reason, /^another container is needed: spec\.env \(a program gets it when it begins\); /);
  assert.match(plan.reason, /spec\.resources \(the engine cannot take away its memory limit\)/);
  const ipv6 = planned({ vnics: [{ name: "l0" }] }, { vnics: [{ name: "l0", ipv6Mode: Ipv6Mode.SLAAC }] });
  assert.equal(ipv6.isSwap, true, "its container has IPv6 turned off");
});

test("a health check of ours is changed in place; one that the engine does is as its container was made", () => {
  const isSwap = (was: SpecInit["health"], is: SpecInit["health"]) =>
    planned({ ...(was && { health: was }) }, { ...(is && { health: is }) }).isSwap;
  assert.equal(isSwap(undefined, { tcp: { port: 1 } }), false);
  assert.equal(isSwap({ tcp: { port: 1 } }, { disabled: true }), false);
  assert.equal(isSwap({ tcp: { port: 1 } }, undefined), true);
  assert.equal(isSwap(undefined, { intervalMs: 5000 }), true);
});

test("whether it should run is asked for by the way, and stays as it was when it is not", () => {
  const stop = planned({}, { desired: DesiredState.STOPPED });
  assert.deepEqual([stop.desired, stop.isSwap, stop.interrupts], ["stopped", false, true]);
  assert.deepEqual(stop.changes.map(inShort), [
    'spec.desired "DESIRED_STATE_RUNNING" > "DESIRED_STATE_STOPPED" in place',
  ]);
  const rests = planned({}, { command: ["x"] }, "stopped");
  assert.deepEqual([rests.desired, rests.isSwap, rests.interrupts], ["stopped", true, false]);
  const start = planned({}, { desired: DesiredState.RUNNING }, "stopped");
  assert.deepEqual(
    [start.desired, start.interrupts, start.reason],
    ["running", false, "it is to be started"],
  );
});

test("a tag that means another image now is a change of the image", () => {
  const plan = planUpdate(wish(), spec("plc:1", before), { imageId: "sha256:2", imageDigest: "sha256:d2" });
  assert.deepEqual(plan.changes.map(inShort), ['spec.image "plc:1@sha256:1" > "plc:1@sha256:d2"']);
  assert.equal(plan.reason, "another container is needed: spec.image (a container has one image for good)");
});
