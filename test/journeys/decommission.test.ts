/** A node's way out of service: together with its hub, in two halves, alone, and over crashes of either side. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Events } from "../../gen/edge/v1/events_pb.ts";
import { Role } from "../../gen/edge/v1/fleet_pb.ts";
import { LeftWorkloads, Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimePhase, RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { type Engine, startEngine } from "../fixtures/engine.ts";
import { until } from "./until.ts";
import { makeWorld, startWorld, type World } from "./world.ts";

describe("a node is taken out of service", { timeout: 300_000 }, () => {
  let engine: Engine;
  let world: World;
  before(async () => {
    engine = await startEngine({ name: "leaving" });
    world = await startWorld({ engine });
  });
  after(async () => {
    await world[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  /** It is let in again, as whoever had left may be. */
  const comeBack = async () => {
    await world.enrol();
    await world.connected();
  };
  const isAway = () =>
    until("the hub saw it go", async () => !(await world.fleet().listNodes({})).nodes[0]?.connected);
  const remove = (...how: string[]) => world.cli("node", "remove", world.nodeId, ...how, "--yes");

  it("with all that it made, while others on the engine are left alone, and goes on at its socket", async () => {
    await using neighbour = await makeWorld({ engine });
    await neighbour.startDaemon();
    await create(neighbour, "press");
    const theirs = await objectsOf(neighbour);
    for (const name of ["press", "mill"]) await create(world, name);
    const Labels = { "edge.instance": await instanceOf(world) };
    await world.docker.createVolume({ Name: "left-by-a-crash", Labels });
    const made = await objectsOf(world);
    assert.equal(made.length, 7, made.join());

    const plan = await world.remote(Node).planDecommission({ workloads: LeftWorkloads.PURGE });
    assert.deepEqual(
      [[...plan.objects].sort(), plan.runtimes, plan.hubAddress.split(":").at(-1)],
      [made, ["mill", "press"], String(world.linePort)],
    );
    const ran = await remove("--purge");
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /these runtimes end: mill, press\n/);
    const removed = [...ran.stdout.matchAll(/^removed (.*)$/gm)].map(([, name]) => name ?? "");
    assert.deepEqual(removed.sort(), made);
    assert.match(ran.stdout, /is out of the fleet, and its workloads are removed\n$/);

    assert.deepEqual(await objectsOf(world), []);
    assert.deepEqual(await objectsOf(neighbour), theirs);
    assert.equal((await neighbour.local(Runtimes).getRuntime({ name: "press" })).runtime?.restarts, 0);
    assert.deepEqual((await world.fleet().listNodes({})).nodes, []);
    await isNobody(world);
    await until("it says so", () =>
      /this node is out of service: it has no hub any more/.test(world.daemon.output()),
    );
    const { events } = await world.local(Events).listEvents({});
    assert.ok(events.some(({ event }) => event?.fact.case === "decommissioned"));
    assert.equal((await create(world, "press")).created, true);
    await comeBack();
  });

  it("and its workloads go on, when that is wished; an operator may not do it", async () => {
    const made = await objectsOf(world);
    const { runtime } = await world.local(Runtimes).getRuntime({ name: "press" });
    const { token } = await world.fleet().createOperatorToken({ name: "ann", role: Role.OPERATOR });
    await assert.rejects(world.remote(Node, token).decommission({}), /Decommission needs the role admin/);
    const command = { id: "cmd-sly", request: { case: "decommission" as const, value: {} } };
    const submitted = world.fleet(token).submitCommand({ nodeId: world.nodeId, command });
    await assert.rejects(submitted, /Decommission needs the role admin/);

    const ran = await remove("--keep-workloads");
    assert.match(
      ran.stdout,
      /is out of the fleet; its workloads go on, and are commanded at the node itself/,
    );
    await isNobody(world);
    assert.deepEqual(await objectsOf(world), made);
    const now = (await world.local(Runtimes).getRuntime({ name: "press" })).runtime;
    assert.deepEqual([now?.containerId, now?.restarts], [runtime?.containerId, 0]);
    await comeBack();
  });

  it("in two halves, when it was away: it is told at the door of the next hub, too, and once", async () => {
    await world.daemon.stop();
    await isAway();
    const ran = await remove("--purge");
    assert.match(ran.stdout, /Its own half is outstanding: it removes its workloads when it dials\n$/);
    assert.equal((await objectsOf(world)).length, 3);
    await world.hub.kill9();
    await world.startHub();

    await world.startDaemon();
    await isNobody(world);
    assert.deepEqual(await objectsOf(world), []);
    const refusals = () => world.hub.output().match(/node refused/g)?.length ?? 0;
    const told = refusals();
    await world.daemon.stop();
    const before = world.daemon.output().length;
    await world.startDaemon();
    const isIdle = () => /this node is not enrolled/.test(world.daemon.output().slice(before));
    await until("it waits to be enrolled", isIdle);
    assert.equal(refusals(), told, "it dials no more");
    await comeBack();
  });

  it("but not by a hub that merely refuses it, which cuts its line: then it keeps its identity", async () => {
    await create(world, "press");
    const refused = () => world.daemon.output().match(/does not let this node in/g)?.length ?? 0;
    const before = refused();
    await world.fleet().removeNode({ id: world.nodeId, onlyHere: true });
    await until("its line is cut", () => refused() > before);
    await world.daemon.stop();
    await world.startDaemon();
    await until("it is refused again", () => refused() > before + 1);
    assert.ok(existsSync(identityOf(world)));
    const { runtime } = await world.local(Runtimes).getRuntime({ name: "press" });
    assert.equal(runtime?.phase, RuntimePhase.RUNNING);
    await world.local(Node).decommission({ workloads: LeftWorkloads.PURGE });
    await isNobody(world);
    await comeBack();
  });

  it("without its hub, which is not told", async () => {
    await create(world, "press");
    await world.hub.stop();
    const { nodeId } = world;
    const ran = await world.cli("node", "decommission", "--local", "--purge", "--yes");
    assert.match(ran.stdout, /removed container/);
    assert.match(
      ran.stdout,
      new RegExp(`is not told: there, \`orchestrator node remove ${nodeId} --only-here\``),
    );
    await isNobody(world);
    assert.deepEqual(await objectsOf(world), []);
    await world.startHub();
    const [node] = (await world.fleet().listNodes({})).nodes;
    assert.deepEqual([node?.id, node?.connected], [nodeId, false]);
    const forgotten = await remove("--only-here");
    assert.match(forgotten.stdout, /is out of the fleet, and was told nothing\n$/);
    await comeBack();
  });

  it("also when the hub breaks off after the node's half: asked again, it knows", async () => {
    await create(world, "press");
    const made = await objectsOf(world);
    const request = { id: world.nodeId, workloads: LeftWorkloads.PURGE };
    const { removed } = await world.remote(Node).decommission(request);
    assert.deepEqual([...removed].sort(), made);
    await isNobody(world);
    await isAway();
    await world.hub.kill9();
    await world.startHub();
    const again = await world.fleet().removeNode(request);
    assert.deepEqual([again.nodeDone, again.removed], [true, removed]);
    await comeBack();
  });

  it("whatever breaks in between: the engine, then the daemon", async () => {
    for (const name of ["press", "mill"]) await create(world, name);
    const made = await objectsOf(world);
    await engine.kill9();
    const request = { id: world.nodeId, workloads: LeftWorkloads.PURGE };
    await assert.rejects(
      world.fleet().removeNode(request),
      /is still in the fleet, for its own half failed: .*engine.*goes on where it was/,
    );
    assert.equal((await world.fleet().listNodes({})).nodes.length, 1);
    await engine.start();

    const removal = world.fleet().removeNode(request);
    const before = world.daemon.output().length;
    const hasBegun = () => /"step":"stopContainer"/.test(world.daemon.output().slice(before));
    await until("the purge has begun", hasBegun);
    await world.daemon.kill9();
    await world.startDaemon();
    const { nodeDone, removed } = await removal;
    assert.deepEqual([nodeDone, [...removed].sort()], [true, made]);
    assert.deepEqual(await objectsOf(world), []);
    await isNobody(world);
  });
});

async function create(world: World, name: string): Promise<{ created: boolean }> {
  const spec = { name, image: world.image, profile: RuntimeProfile.PLAIN, stopGraceMs: 300 };
  return await world.local(Runtimes).createRuntime({ spec });
}

const instances = new WeakMap<World, string>();

/** Remembered, because it is asked when no object of it is left. */
async function instanceOf(world: World): Promise<string> {
  const known = instances.get(world);
  if (known !== undefined) return known;
  const [one] = (await world.local(Runtimes).listRuntimes({})).runtimes;
  const { Config } = await world.docker.getContainer(one?.containerId ?? "").inspect();
  const found = Config.Labels["edge.instance"] ?? "";
  instances.set(world, found);
  return found;
}

/** All that carries the label of this world's daemon, as answers name it. */
async function objectsOf(world: World): Promise<string[]> {
  const filters = { label: [`edge.instance=${await instanceOf(world)}`] };
  const [containers, networks, volumes] = await Promise.all([
    world.docker.listContainers({ all: true, filters }),
    world.docker.listNetworks({ filters }),
    world.docker.listVolumes({ filters }),
  ]);
  return [
    ...containers.map(({ Names }) => `container${Names[0]}`),
    ...networks.map(({ Name }) => `network/${Name}`),
    ...volumes.Volumes.map(({ Name }) => `volume/${Name}`),
  ].sort();
}

function identityOf({ folder }: World): string {
  return join(folder, "daemon", "identity.json");
}

/** Waits until the node has forgotten who it was. */
async function isNobody(world: World): Promise<void> {
  await until("it has left its hub", async () => (await world.local(Node).getNode({})).nodeId === "");
  assert.equal(existsSync(identityOf(world)), false);
  assert.equal(existsSync(join(world.folder, "daemon", "identity.next.json")), false);
}
