/** Two hubs on one PostgreSQL and one nats-server, all real processes: what each of them may lose without anybody losing work. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Authority } from "../../gen/edge/v1/authority_pb.ts";
import { RejectCode } from "../../gen/edge/v1/control_pb.ts";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { newKeyPem, signingRequest } from "../../src/daemon/identity/request.ts";
import { FakeNode } from "../fakes/node.ts";
import { testSeed } from "../fixtures/chance.ts";
import type { Replica } from "./replicas/cell.ts";
import { askAll, assertRight, type Ground, openGround, round } from "./replicas/ground.ts";
import { until } from "./until.ts";

const [serving, notServing] = [1, 2];
const unavailable = 14;
const nodes = 6;

async function health(hub: Replica, service: string, wanted: number): Promise<boolean> {
  return (await hub.client(Health).check({ service })).status === wanted;
}

/** A figure of a hub, as Prometheus reads it. */
async function figure(hub: Replica, name: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${hub.metricsPort}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1]);
}

describe("two replicas", () => {
  let ground: Ground;
  before(async () => {
    ground = await openGround(testSeed, { nodes, spare: 1 });
  });
  after(() => ground[Symbol.asyncDispose]());
  const both = (): [Replica, Replica] => {
    const [a, b] = ground.cell.hubs;
    assert.ok(a && b);
    return [a, b];
  };
  const losses = () => ground.nodes.map((node) => node.losses);

  it("take any request for any node, commands and reads", async () => {
    const { cell } = ground;
    await assertRight(ground);
    await askAll(ground, 2, 0);
    await Promise.all(cell.hubs.flatMap((hub) => ground.nodes.map(({ nodeId }) => hub.read(nodeId))));
    await assertRight(ground);
  });

  it("restart in turn while commands go on: nobody waits in vain, nothing is done twice, no report is missing", async () => {
    const asking = askAll(ground, 25, 100);
    for (const hub of both()) {
      await hub.program.stop();
      await hub.start();
    }
    await asking;
    await assertRight(ground);
  });

  it("go on without the bus, a little later, and say so", async () => {
    const [a] = both();
    const { nats } = ground.cell;
    await nats.kill9();
    await until("health says it", () => health(a, "bus", notServing));
    assert.ok(await health(a, "", serving));
    const { findings } = await a.client(Fleet).checkHub({});
    assert.match(
      findings.map(({ says }) => says).join(),
      /the bus of this hub's replicas is away: .*start the NATS server/,
    );
    await askAll(ground, 2, 0);
    await assertRight(ground);
    await nats.start();
    await until("health says that it is back", () => health(a, "bus", serving));
    await askAll(ground, 2, 0);
    await assertRight(ground);
  });

  it("keep their lines while PostgreSQL is dead, tell callers, and lose nothing that was accepted", async () => {
    const [a] = both();
    const [lost, { postgres }] = [losses(), ground.cell];
    const asking = askAll(ground, 10, 100);
    await sleep(500);
    await postgres.kill9();
    await assert.rejects(a.client(Fleet).listOperatorTokens({}), {
      code: unavailable,
      message: /PostgreSQL .*: (check that it runs|wait until)/,
    });
    await until("health says it", () => health(a, "store", notServing));
    assert.ok(await health(a, "", notServing));
    assert.equal(await figure(a, "orchestrator_hub_store_failing"), 1);
    await sleep(3_500);
    await postgres.start();
    await asking;
    await assertRight(ground);
    assert.deepEqual(losses(), lost, "no line was lost");
    await until("health says that it is back", () => health(a, "", serving));
    assert.equal(await figure(a, "orchestrator_hub_store_failing"), 0);
  });

  it("keep their lines while PostgreSQL stands still", async () => {
    const [lost, { postgres }] = [losses(), ground.cell];
    const asking = askAll(ground, 10, 100);
    await sleep(500);
    postgres.freeze(true);
    await sleep(6_000);
    postgres.freeze(false);
    await asking;
    await assertRight(ground);
    assert.deepEqual(losses(), lost, "no line was lost");
  });

  it("may die at once", async () => {
    const asking = askAll(ground, 10, 100);
    await sleep(500);
    await Promise.all(both().map(({ program }) => program.kill9()));
    await Promise.all(both().map((hub) => hub.start()));
    await asking;
    await assertRight(ground);
  });

  it("renew a certificate wherever the line is, and take the old one until the new one was used", async () => {
    const { cell } = ground;
    const [a, b] = both();
    const identity = cell.identities[nodes];
    assert.ok(identity);
    let epoch = 0n;
    const dial = (hub: Replica, as: typeof identity) => {
      const node = FakeNode.dial({ port: hub.linePort, rootPem: cell.rootPem, identity: as });
      node.hello({ sessionEpoch: ++epoch, trustedRoots: [new Uint8Array(32)] });
      return node;
    };
    using asking = dial(b, identity);
    await asking.next("renewalWanted");
    const keyPem = await newKeyPem();
    asking.send({ case: "renewal", value: { csrDer: signingRequest(keyPem, "spare"), takesRoots: true } });
    const { certificatePem, refusal } = await asking.next("renewal");
    assert.equal(refusal, undefined);
    const next = { ...identity, keyPem, certificatePem };
    for (const [hub, as] of [
      [a, identity],
      [b, identity],
      [a, next],
      [b, next],
    ] as const) {
      using node = dial(hub, as);
      await node.next("welcome");
    }
    using late = dial(b, identity);
    assert.equal((await late.next("reject")).code, RejectCode.REPLACED);
  });

  it("bring every node to a new root that was asked for at one, also when that dies in the midst of it", async () => {
    const [a] = both();
    const { root } = await a.client(Authority).rotateRoot({});
    const rootPem = new X509Certificate(root?.certificatePem ?? "");
    const held = () => Promise.all(ground.nodes.map(({ credentials }) => credentials.held()));
    const before = JSON.stringify((await held()).map((one) => one?.identity.certificatePem));
    // It has it for a moment only, before it takes the place of the old one.
    await until("a node has its next certificate", async () => {
      const all = await held();
      const now = JSON.stringify(all.map((one) => one?.identity.certificatePem));
      return now !== before || all.some((one) => one?.candidate);
    });
    await a.program.kill9();
    const asking = askAll(ground, 4, 100);
    await until("all have one of the new root", async () => {
      for (const one of await held()) {
        assert.equal(one?.candidate, undefined);
        const certificate = new X509Certificate(one?.identity.certificatePem ?? "");
        assert.ok(certificate.checkIssued(rootPem) && certificate.verify(rootPem.publicKey));
      }
      return true;
    });
    await a.start();
    await asking;
    await assertRight(ground);
  });

  it("lose nothing when what fails is left to chance", async () => {
    await round(ground); // As many as you like: npm run replica-faults.
  });
});
