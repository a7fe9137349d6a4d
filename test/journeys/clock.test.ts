/** A machine whose clock is wrong: it says so, works on, and is itself again when the clock is right. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimePhase, RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { program, runOnce } from "./program.ts";
import { until } from "./until.ts";
import { makeWorld } from "./world.ts";

/** Lives at another time. Wall time is what is set on a machine; the monotonic clock is nobody's to set. */
function at(time: string): Record<string, string> {
  // The program `faketime` would stand between us and ours; its library is all that is needed.
  const preload = execFileSync("faketime", ["-f", `@${time}`, "printenv", "LD_PRELOAD"], {
    encoding: "utf8",
  });
  return { LD_PRELOAD: preload.trim(), FAKETIME: `@${time}`, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
}

const clocks = [
  { year: 1970, time: "1970-01-02 00:00:00", says: /not yet valid/ },
  { year: 2100, time: "2100-01-01 00:00:00", says: /expired/ },
];

describe("a clock that is wrong", () => {
  it("keeps a node away from its hub and nothing else, until it is right", async () => {
    await using world = await makeWorld();
    await world.startHub();
    await world.enrol();
    const local = world.local(Runtimes);
    for (const { year, time, says } of clocks) {
      const name = `plc-${year}`;
      await using wrong = program(["daemon", "start"], { env: { ...world.env, ...at(time) } });
      wrong.start();
      const { clock } = await until("the daemon answers", () => world.local(Node).getNode({}));
      assert.equal(new Date(Number(clock?.now?.seconds) * 1000).getUTCFullYear(), year);
      await until(
        "it says why there is no line",
        () => says.test(wrong.output()) && /clock/.test(wrong.output()),
      );
      const spec = { name, image: world.image, profile: RuntimeProfile.PLAIN };
      await local.createRuntime({ spec });
      assert.equal((await local.getRuntime({ name })).runtime?.phase, RuntimePhase.RUNNING);
      await wrong.stop();
    }
    await world.startDaemon();
    await world.connected();
    const { runtimes } = await world.remote(Runtimes).listRuntimes({});
    assert.deepEqual(
      runtimes.map((one) => [one.spec?.name, one.phase, one.restarts]),
      clocks.map(({ year }) => [`plc-${year}`, RuntimePhase.RUNNING, 0]),
    );
    const kinds = (await world.events()).map(({ event }) => event?.fact.case);
    assert.equal(kinds.filter((kind) => kind === "daemonStarted").length, 3);
  });

  it("of a hub is told at once: its authority is not valid then", async () => {
    await using world = await makeWorld();
    await world.startHub();
    await world.hub.stop();
    for (const { time, says } of clocks) {
      const { code, stderr } = await runOnce(["hub", "start"], { env: { ...world.env, ...at(time) } });
      assert.equal(code, 3, stderr);
      assert.match(stderr, /certificate 1 in .*ca\.pem/);
      assert.match(
        stderr,
        says.source === "expired" ? /expired on/ : /is not valid before .*: check this machine's clock/,
      );
    }
  });
});
