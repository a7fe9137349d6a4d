/** A machine whose clock is wrong: its workloads are left alone, and its line comes up all the same. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimePhase, RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { program, runOnce } from "./program.ts";
import { atTime } from "./trouble/other-time.ts";
import { until } from "./until.ts";
import { makeWorld } from "./world.ts";

const clocks = [
  { year: 1970, time: "@1970-01-02 00:00:00", says: /is not valid before .*: check this machine's clock/ },
  { year: 2100, time: "@2100-01-01 00:00:00", says: /expired on/ },
];

describe("a clock that is wrong", () => {
  it("of a node, at its enrolment or when it boots, keeps neither its line nor its workloads from it", async () => {
    await using world = await makeWorld();
    await world.startHub();
    const { token } = await world.fleet().createEnrolmentToken({});
    const enrolled = await runOnce(["daemon", "enroll", "--token", token], {
      env: { ...world.env, ...atTime(clocks[0]?.time ?? "") },
    });
    assert.equal(enrolled.code, 0, enrolled.stderr);
    world.nodeId = (await world.fleet().listNodes({})).nodes[0]?.id ?? "";
    for (const { year, time } of clocks) {
      const name = `plc-${year}`;
      await using wrong = program(["daemon", "start"], { env: { ...world.env, ...atTime(time) } });
      wrong.start();
      await world.connected();
      const spec = { name, image: world.image, profile: RuntimeProfile.PLAIN };
      await world.remote(Runtimes).createRuntime({ spec });
      const { clock } = await world.local(Node).getNode({});
      assert.equal(new Date(Number(clock?.now?.seconds) * 1000).getUTCFullYear(), year);
      const hubMs = Number(clock?.now?.seconds) * 1000 + Number(clock?.hubOffsetMs);
      assert.ok(Math.abs(hubMs - Date.now()) < 60_000, "it knows the hub's time");
      await until("it says so", () => /clock/.test(wrong.output()));
      await wrong.stop();
    }
    await world.startDaemon();
    await world.connected();
    const { runtimes } = await world.remote(Runtimes).listRuntimes({});
    assert.deepEqual(
      runtimes.map((one) => [one.spec?.name, one.phase, one.restarts]),
      clocks.map(({ year }) => [`plc-${year}`, RuntimePhase.RUNNING, 0]),
    );
    await until("each of three starts is told", async () => {
      const kinds = (await world.events()).map(({ event }) => event?.fact.case);
      return kinds.filter((kind) => kind === "daemonStarted").length === 3;
    });
  });

  it("of a hub is told at once when its authority is not valid then; nodes wait for one that is ahead for a while", async () => {
    await using world = await makeWorld();
    await world.startHub();
    await world.enrol();
    await world.startDaemon();
    await world.connected();
    const spec = { name: "plc", image: world.image, profile: RuntimeProfile.PLAIN };
    await world.remote(Runtimes).createRuntime({ spec });
    await Promise.all([world.hub.stop(), world.daemon.stop()]);
    for (const { time, says } of clocks) {
      const { code, stderr } = await runOnce(["hub", "start"], { env: { ...world.env, ...atTime(time) } });
      assert.equal(code, 3, stderr);
      assert.match(stderr, /certificate 1 in .*ca\.pem/);
      assert.match(stderr, says);
    }
    {
      // Within the grace: the node's certificate is renewed by a hub that lives forty days ahead.
      await using ahead = program(["hub", "start"], { env: { ...world.env, ...atTime("+40d") } });
      ahead.start();
      await until("the hub is up", () => /hub is up/.test(ahead.output()));
      await world.startDaemon();
      await world.connected();
      await until("its certificate is one of that time", async () => {
        const [node] = (await world.fleet().listNodes({})).nodes;
        return Number(node?.certificateExpiresAt?.seconds) * 1000 > Date.now() + 60 * 86_400_000;
      });
      await ahead.stop();
    }
    await world.startHub();
    await world.connected();
    await until("its certificate is one of this time again", async () => {
      const [node] = (await world.fleet().listNodes({})).nodes;
      return Number(node?.certificateExpiresAt?.seconds) * 1000 < Date.now() + 31 * 86_400_000;
    });
    const { runtime } = await world.remote(Runtimes).getRuntime({ name: "plc" });
    assert.deepEqual([runtime?.phase, runtime?.restarts], [RuntimePhase.RUNNING, 0]);
  });
});
