/** An engine that dies in the middle of its work, and what it left half done. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { plan } from "../../../src/daemon/runtimes/plan.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import { ask, leftOf, live, newName, spec } from "./life.ts";
import { all, container, ground, wish } from "./planned.ts";

const engine = await startEngine({ name: "dies" });
const idle = await idleImage(engine);
after(() => engine[Symbol.asyncDispose]());

/** After the request to start: at most moments of it the container is half started, its helper running and its program not yet. */
const momentMs = 150;

test("an engine that dies while it starts a container finds it half started, and another one takes its place", async () => {
  using folder = tempFolder();
  await using proxy = await engineProxy(engine.socketPath);
  await using life = live(folder.path, proxy.socketPath);
  const name = newName();
  const died = Promise.withResolvers<void>();
  proxy.decide = (line) => {
    if (!line.endsWith("/start")) return "pass";
    proxy.decide = () => "pass";
    void sleep(momentMs)
      .then(() => engine.kill9())
      .then(died.resolve, died.reject);
    return "pass";
  };
  const creating = life.runtimes.create(spec(idle, { name }), ask());
  await died.promise;
  await engine.start();
  assert.equal((await creating).runtime.phase, RuntimePhase.RUNNING);
  assert.equal((await leftOf(engine, name)).length, 3);
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a container that cannot be started any more is replaced, and that is the reason", () => {
  const stuck = { ...ground, stuck: new Set(["one"]) };
  const [first] = plan(wish(), all(container({ state: "created" })), stuck);
  assert.equal(first?.do, "removeContainer");
  assert.match(first.reason, /^the engine died while it started it/);
  assert.deepEqual(plan(wish(), all(container()), stuck), [], "one that runs all the same is left alone");
});
