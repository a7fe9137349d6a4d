/** The line is bad in all ways that a kernel knows. `npm run bad-line` does the same for as long as you like. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { testSeed } from "../fixtures/chance.ts";
import { badLine, badRoundInWords, flaps } from "./trouble/bad-line.ts";
import { assertOnce, assertUntouched, type Ground, openGround } from "./trouble/ground.ts";
import { filter, heal, toHub, toNode } from "./trouble/line-faults.ts";
import { until } from "./until.ts";

/** A lease is three seconds here, and these are those of a busy machine; TCP by itself would take a quarter of an hour. */
const knowMs = 30_000;

describe("over a bad line", () => {
  let ground: Ground;
  const seed = testSeed;
  before(async () => {
    ground = await openGround(seed, { inNetworkOfEngine: true });
  });
  after(() => ground[Symbol.asyncDispose]());

  const connectedAtHub = async () => (await ground.world.fleet().listNodes({})).nodes[0]?.connected;
  const connectedAtNode = async () => (await ground.world.local(Node).getNode({})).connected;

  for (const [name, rule] of Object.entries({
    "the hub hears nothing": toHub,
    "the node hears nothing": toNode,
  })) {
    it(`${name}: both sides know when the lease is over, and are together again afterwards`, async () => {
      await until(
        "both are connected",
        async () => (await connectedAtHub()) && (await connectedAtNode()),
        90_000,
      );
      filter(ground.world, rule(ground.world));
      await until(
        "both know that the line is down",
        async () => !(await connectedAtHub()) && !(await connectedAtNode()),
        knowMs,
      );
      heal(ground.world);
      await until(
        "both are connected",
        async () => (await connectedAtHub()) && (await connectedAtNode()),
        90_000,
      );
    });
  }

  it("a line that flaps restarts nothing", async () => {
    await flaps(ground, 20, () => {});
    await assertUntouched(ground);
  });

  it("whatever happens to it, each command is carried out once and every fact told once", async (t) => {
    t.diagnostic(`seed ${seed}`);
    // A daemon that starts anew does not wait: the test does not either.
    await ground.world.daemon.kill9();
    await ground.world.startDaemon();
    for (let n = 0; n < 2; n++) {
      const round = await badLine(ground);
      t.diagnostic(`${badRoundInWords(round)}; right after ${Math.round(round.convergedMs)} ms`);
    }
    await assertOnce(ground);
    assert.ok(ground.results.size > 0);
  });
});
