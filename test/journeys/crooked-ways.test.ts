/** The way to the hub is crooked: boxes that break HTTP/2, an address that leads nowhere, name servers and proxies that say nothing. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { Transport } from "../../gen/edge/v1/transport_pb.ts";
import { at, type CrookedWay, openCrookedWay } from "./trouble/crooked-way.ts";
import { filter, heal } from "./trouble/line-faults.ts";
import { until } from "./until.ts";
import type { World } from "./world.ts";

let way: CrookedWay;
let world: World;
let startedAt: unknown;
before(async () => {
  way = await openCrookedWay();
  world = way.world;
  const spec = { name: "plc", image: world.image, profile: RuntimeProfile.PLAIN };
  startedAt = (await world.remote(Runtimes).createRuntime({ spec })).runtime?.startedAt;
});
after(() => way[Symbol.asyncDispose]());

const atNode = () => world.local(Node).getNode({});
const atHub = async () => (await world.fleet().listNodes({})).nodes[0];
const linesSoFar = () => world.daemon.output().match(/"the line is up"/g)?.length ?? 0;

/** Waits for the next line that is up after `act`; by which transport, as both sides see it. */
async function nextLine(act: () => void): Promise<Transport> {
  const before = linesSoFar();
  act();
  await until("there is another line", () => linesSoFar() > before);
  return await until("both sides see the same", async () => {
    const [node, hub] = [await atNode(), await atHub()];
    return node.connected && hub?.connected && node.hubTransport === hub.transport && node.hubTransport;
  });
}

/** Commands come through, what is kept and what is asked, and the runtime was left alone. */
async function works(): Promise<void> {
  await world.remote(Runtimes).startRuntime({ name: "plc" });
  await untouched(world.remote(Runtimes));
}

async function untouched(runtimes = world.local(Runtimes)): Promise<void> {
  const { runtime } = await runtimes.getRuntime({ name: "plc" });
  assert.deepEqual([runtime?.startedAt, runtime?.restarts], [startedAt, 0]);
}

/** What the daemon says of its line while it is down for this reason; work of this machine's own goes on. */
async function problem(says: RegExp): Promise<void> {
  await until(
    `the daemon says ${says}`,
    async () => says.test((await atNode()).hubProblem) || assert.fail((await atNode()).hubProblem),
  );
  await world.local(Runtimes).startRuntime({ name: "plc" });
  await untouched();
}

it("a box that ends HTTP/2 after a few bytes gets a WebSocket, which is kept while it works; HTTP/2 comes back", async () => {
  way.box("hang up");
  assert.equal(await nextLine(() => way.box("cut")), Transport.WEBSOCKET);
  await works();
  way.box("pass");
  assert.equal(await nextLine(() => way.box("cut")), Transport.WEBSOCKET, "what works is kept");
  assert.equal(await nextLine(() => way.ahead(3_700)), Transport.GRPC, "after an hour it is tried again");
  await works();
});

const noNames = "udp dport 53 drop";

it("an address that swallows what is sent there costs a moment, and a name means what it meant before", async () => {
  for (const [dead, other, rules] of [
    [at.six, at.four, [`ip6 daddr ${at.six} drop`]],
    [at.four, at.six, [`ip daddr ${at.four} drop`, noNames]],
  ] as const) {
    filter(world, ...rules);
    await nextLine(() => way.box("cut"));
    assert.deepEqual([way.isBy(dead), way.isBy(other)], [false, true]);
    await works();
    heal(world);
  }
});

it("a name server that says nothing to who knows nothing is named, and asked until it answers", async () => {
  await world.daemon.stop();
  filter(world, noNames);
  await world.startDaemon();
  await problem(
    /no name server knows hub\.test \(.+\): check the name, and the name servers of this machine/,
  );
  await nextLine(() => heal(world));
  await works();
});

it("a proxy that takes connections and says nothing is named, and asked until it answers", async () => {
  await world.daemon.stop();
  way.proxy("SIGSTOP");
  Object.assign(world.env, { https_proxy: `http://n:p@${at.proxy}` });
  await world.startDaemon();
  const says =
    /the proxy at 10\.77\.0\.1:3128 opens no way to hub\.test:\d+ \(it did not answer within 10 s\)/;
  await problem(says);
  assert.match((await world.cli("daemon", "status")).stdout, says);
  await nextLine(() => way.proxy("SIGCONT"));
  assert.equal((await atNode()).hubProxy, at.proxy);
  await works();
});
