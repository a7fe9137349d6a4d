import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../../../src/base/failure.ts";
import { nothing } from "../../../src/daemon/engine/observed.ts";
import type { Reached } from "../../../src/daemon/network/index.ts";
import type { Situation } from "../../../src/daemon/runtimes/plan.ts";
import { hashOf } from "../../../src/daemon/wishes/spec.ts";
import type { Wish } from "../../../src/daemon/wishes/wish.ts";
import { spec } from "./life.ts";
import { all, container, ground, name, steps } from "./planned.ts";

const plugged = spec("plc:1", { name: "plc1", vnics: [{ name: "lan0", parent: "eth0" }] });
const of = { spec: plugged, specHash: hashOf(plugged) };
const runs = container({ specHash: of.specHash });
const rests = container({ specHash: of.specHash, state: "exited" });

const on = (netmon: Reached, isPaused = false): Situation => ({ ...ground, lan: { netmon, isPaused } });
const away = on({ at: "away", problem: failure("unavailable", "netmon is away") });
/** Netmon keeps these vNICs of this container. */
const keeps = (containerId: string, ...names: string[]) =>
  on({
    at: "there",
    attached: new Map([["plc1", { containerId, vnics: names.map(statusOf), devices: [] }]]),
  });
const statusOf = (vnic: string) => ({ name: vnic }) as never; // Nothing else of it decides.
const knowsNothing = on({ at: "there", attached: new Map() });

test("a create begins when netmon is there, plugs in before the start, and waits for the vNICs after it", () => {
  const creating: Partial<Wish> = { ...of, stage: "creating" };
  for (const situation of [away, on({ at: "unknown" })]) {
    assert.deepEqual(steps(creating, nothing, situation), ["awaitNetmon"]);
  }
  const made = ["ensureImage", "createNetwork", "createVolume", "createContainer"];
  const starts = [`attach ${name}`, `startContainer ${name}`, `attach ${name}`, `verify ${name}`];
  assert.deepEqual(steps(creating, nothing, knowsNothing), [...made, ...starts]);
  assert.deepEqual(steps(creating, all(runs), keeps("one", "lan0")), [
    "attach one",
    "attach one",
    "verify one",
  ]);
  assert.deepEqual(
    steps({ stage: "creating" }, all(container()), away),
    ["verify one"],
    "without vNICs it is not asked",
  );
});

test("what netmon does not keep as wished is told again, and a running container is left alone", () => {
  assert.deepEqual(steps(of, all(runs), keeps("one", "lan0")), []);
  for (const other of [knowsNothing, keeps("two", "lan0"), keeps("one"), keeps("one", "lan0", "lan1")]) {
    assert.deepEqual(steps(of, all(runs), other), ["attach one"]);
    assert.deepEqual(steps({ ...of, desired: "stopped" }, all(rests), other), ["attach one"]);
  }
  assert.deepEqual(steps(of, all(runs), on({ at: "there", attached: new Map() }, true)), [], "not yet again");
});

test("a made runtime starts with or without netmon; who asked for the start waits for its vNICs where there is one", () => {
  const died: Partial<Wish> = { ...of, endedByItself: true };
  assert.deepEqual(steps(died, all(rests), away), ["startContainer one"]);
  assert.deepEqual(steps(died, all(rests), keeps("one", "lan0")), ["startContainer one"]);
  assert.deepEqual(steps(of, all(rests), away), ["startContainer one", "verify one"]);
  assert.deepEqual(steps(of, all(rests), keeps("one", "lan0")), [
    ...["startContainer one", "attach one", "verify one"],
  ]);
});

test("what is to go gives its leases back first, while its link is there", () => {
  const absent: Partial<Wish> = { ...of, desired: "absent" };
  const rest = ["stopContainer one", "removeContainer one", "removeNetwork", "removeVolume", "forget"];
  // Just plugged in, and not told yet.
  assert.deepEqual(steps(absent, all(runs), knowsNothing), ["detach", ...rest]);
  assert.deepEqual(steps(absent, all(runs), away), rest, "netmon is told when it is back");
  assert.deepEqual(steps({ desired: "absent" }, all(container()), keeps("one", "lan0")), ["detach", ...rest]);
  assert.deepEqual(steps({ desired: "absent" }, all(container()), knowsNothing), rest);
});
