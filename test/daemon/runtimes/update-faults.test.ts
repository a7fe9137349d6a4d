import assert from "node:assert/strict";
import { after, test } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "./life.ts";

const engine = await startEngine({ name: "update-faults" });
const idle = await idleImage(engine);
const script = await scriptImage(engine);
after(() => engine[Symbol.asyncDispose]());

const says = (DO: string) => [{ name: "DO", value: DO }];
const idles = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done";

/** Requests that change something, in the order in which an update makes them. */
function changing(line: string): boolean {
  return !line.startsWith("GET");
}

for (const [what, DO, isGood] of [
  ["a good version", idles, true],
  ["a bad version", "echo no licence; exit 3", false],
] as const) {
  test(`a daemon that dies at each request of an update to ${what} takes it up again`, async () => {
    using folder = tempFolder();
    await using proxy = await engineProxy(engine.socketPath);
    const options = { provenMs: isGood ? 200 : 60_000, settleMs: 50 };
    const name = newName();
    await using first = live(folder.path, proxy.socketPath, options);
    const { runtime: before } = await first.runtimes.create(spec(idle, { name }), ask());
    await first[Symbol.asyncDispose]();
    const next = spec(script, { name, env: says(DO), volumes: [{ name: "recipes", path: "/recipes" }] });
    const command = { id: `update-${name}` };
    const died: string[] = [];
    // Each life dies at the first request that changes something and at which no life died yet, until none does.
    for (let isOver = false; !isOver; ) {
      const stopped = new AbortController();
      const gone = Promise.withResolvers<"gone">();
      await using life = live(folder.path, proxy.socketPath, options);
      proxy.decide = (line) => {
        if (!changing(line) || died.includes(line)) return "pass";
        died.push(line);
        gone.resolve(life[Symbol.asyncDispose]().then(() => "gone"));
        return "break-afterwards";
      };
      const updating = life.runtimes.update(next, {}, ask({ ...command, signal: stopped.signal })).then(
        () => "good",
        (thrown: unknown) => thrown,
      );
      const ended = await Promise.race([gone.promise, updating]);
      isOver = ended !== "gone";
      if (isOver && isGood) assert.equal(ended, "good");
      if (isOver && !isGood) assert.match(String(ended), /was rolled back: .* exit code 3; .*: no licence/);
      stopped.abort(failure("cancelled", "the daemon stops"));
      await updating;
      await life[Symbol.asyncDispose]();
    }
    for (const one of ["/stop", "/volumes/create", "/containers/create", "/start"]) {
      assert.ok(
        died.some((line) => line.endsWith(one)),
        `${one} was met: ${died.join(", ")}`,
      );
    }
    await using life = live(folder.path, engine.socketPath, options);
    const now = await until("it runs", async () => {
      const one = await life.runtimes.get(name, ask().signal);
      return one.phase === RuntimePhase.RUNNING && one;
    });
    assert.equal(now.probation, undefined);
    assert.equal(now.imageId === before.imageId, !isGood);
    assert.equal(now.specHash === before.specHash, !isGood);
    const containers = (await leftOf(engine, name)).filter((one) => one.startsWith("container"));
    assert.equal(containers.length, 1);
    const facts = life
      .changes(name)
      .filter((fact = "") => !["RECREATED", "STARTED", "EXITED"].includes(fact));
    assert.deepEqual(facts, ["CREATED", "UPDATED", isGood ? "CONFIRMED" : "ROLLED_BACK"]);
    await life.runtimes.delete(name, { keepVolume: false }, ask());
    assert.deepEqual(await leftOf(engine, name), []);
  });
}
