import assert from "node:assert/strict";
import { after, test } from "node:test";
import { equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  DesiredState,
  RuntimePhase,
  type RuntimeSpec,
  RuntimeSpecSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { Failure } from "../../../src/base/failure.ts";
import { checkSpec } from "../../../src/daemon/wishes/check.ts";
import { containerOptions, networkOptions } from "../../../src/daemon/wishes/container.ts";
import { differences, hashOf, normalForm } from "../../../src/daemon/wishes/spec.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import fc from "../../fixtures/properties.ts";
import { ask, leftOf, live, newName, spec } from "../runtimes/life.ts";
import { mixed, randomSpec } from "./random-spec.ts";

const engine = await sharedEngine();
const idle = await idleImage(engine);
after(() => engine[Symbol.asyncDispose]());

const base = spec(idle, { name: "base" });
const anySpec = fc.oneof(randomSpec, mixed(base, 2));
const bounded = { interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false };

/** Whether a spec is good; when it is not, each violation must name a field and say a sentence. */
function isGood(one: RuntimeSpec): boolean {
  try {
    checkSpec(one);
    return true;
  } catch (thrown) {
    assert.ok(thrown instanceof Failure, String(thrown));
    assert.equal(thrown.kind, "invalid");
    assert.ok(thrown.violations.length > 0);
    for (const { field, message } of thrown.violations) {
      assert.match(field, /^spec(\.[a-z0-9_]+(\[\d+\])?)+$/);
      assert.ok(message.length > 3 && !message.includes("\n"), message);
    }
    return false;
  }
}

test("any spec is good, or every violation is named; a good one can be made a container of", () => {
  let good = 0;
  const property = fc.property(anySpec, (one) => {
    if (!isGood(one)) return;
    good++;
    const origin = { instanceId: "0123abcdef", commandId: "c1" };
    const { name } = one;
    const options = containerOptions({
      ...{
        ...origin,
        name,
        spec: one,
        madeHash: hashOf(one),
        image: idle,
        imageId: "sha256:1",
        imageDigest: "",
      },
      ...{ profileVersion: 2, refused: new Set(), isReplacement: false, cgroupVersion: 2 },
    });
    const targets = options.HostConfig?.Mounts?.map(({ Target }) => Target) ?? [];
    assert.equal(new Set(targets).size, targets.length);
    assert.ok(!JSON.stringify([options, networkOptions(one, origin)]).includes("\\u0000"));
  });
  fc.assert(property, { numRuns: 600, ...bounded });
  assert.ok(good > 20, `${good} good ones are too few to say anything`);
});

test("the normal form of any spec is its own, means the same, and survives the disk", () => {
  const property = fc.property(anySpec, (one) => {
    const normal = normalForm(one);
    assert.ok(equals(RuntimeSpecSchema, normalForm(normal), normal));
    assert.equal(hashOf(normal), hashOf(one));
    assert.deepEqual(differences(one, normal), []);
    const kept = fromBinary(RuntimeSpecSchema, toBinary(RuntimeSpecSchema, one));
    assert.equal(hashOf(kept), hashOf(one));
  });
  fc.assert(property, { numRuns: 300, ...bounded });
});

test("on an engine, any spec runs, or fails in a sentence and leaves nothing", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const seed = Date.now() | 0;
  // What waits for a LAN or for another runtime waits as long as its command does.
  const alone = mixed(base, 2).filter(({ vnics, after }) => vnics.length === 0 && after.length === 0);
  const samples = fc.sample(alone, { numRuns: 200, seed });
  const good = samples.filter((one) => isGood(one) && one.image === idle).slice(0, 4);
  const bad = samples.filter((one) => !isGood(one)).slice(0, 20);
  for (const one of [...bad, ...good]) {
    // Names of their own, because tests share the engine; unless the name is what is wrong.
    const wish: RuntimeSpec = isGood(one) ? { ...one, name: newName() } : one;
    try {
      const { runtime } = await life.runtimes.create(wish, ask());
      const isStopped = wish.desired === DesiredState.STOPPED;
      const phase = isStopped ? RuntimePhase.STOPPED : RuntimePhase.RUNNING;
      assert.equal(runtime.phase, phase, runtime.reason);
      await life.runtimes.delete(wish.name, { keepVolume: false }, ask());
    } catch (thrown) {
      assert.ok(thrown instanceof Failure && thrown.kind !== "internal", `seed ${seed}: ${String(thrown)}`);
      assert.ok(thrown.message.length > 10);
    }
    if (isGood(one)) assert.deepEqual(await leftOf(engine, wish.name), [], `seed ${seed}`);
  }
  assert.deepEqual(await life.runtimes.list(ask().signal), [], "and the daemon is well");
});
