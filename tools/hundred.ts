/**
 * `npm run hundred`: a hundred runtimes on one node. They are applied at once, go on over restarts of daemon and engine
 * without being restarted, and one of them that crashes is restarted alone. Takes a minute or two, and so is none of `npm test`.
 */
import assert from "node:assert/strict";
import { RuntimePhase, RuntimeProfile, Runtimes } from "../gen/edge/v1/runtimes_pb.ts";
import { Wishes } from "../gen/edge/v1/wishes_pb.ts";
import { startEngine } from "../test/fixtures/engine.ts";
import { until } from "../test/journeys/until.ts";
import { makeWorld } from "../test/journeys/world.ts";

const count = 100;
/** A look at a hundred on a loaded machine, several times over. */
const patienceMs = 120_000;

await using engine = await startEngine({ name: "hundred" });
await using world = await makeWorld({ engine, env: { ORCHESTRATOR_LOG_LEVEL: "warn" } });
await world.startDaemon();
const runtimes = world.local(Runtimes);
const names = Array.from({ length: count }, (_, at) => `plc-${at}`);

await step("applied at once, and all run", async () => {
  const spec = { image: world.image, profile: RuntimeProfile.PLAIN, stopGraceMs: 1000 };
  const wishes = names.map((name) => ({ ...spec, name }));
  const applied = await world.local(Wishes).applyWishes({ runtimes: wishes });
  assert.deepEqual(
    applied.runtimes.flatMap(({ failure }) => failure?.message ?? []),
    [],
  );
  await untilAllRun();
});
const before = await starts();

await step("the daemon is killed and started: none is restarted", async () => {
  await world.daemon.kill9();
  await world.startDaemon();
  await untilAllRun();
  assert.deepEqual(await starts(), before);
});

await step("the engine is killed and started: none is restarted", async () => {
  await engine.kill9();
  // With a hundred containers it takes longer on a busy machine than the fixture waits.
  await engine.start().catch(() => until("the engine answers", () => world.docker.ping(), patienceMs));
  await untilAllRun();
  assert.deepEqual(await starts(), before);
});

await step("one crashes: it is restarted, and no other", async () => {
  const [crashed = ""] = names;
  const { containers } = await world.objects(crashed);
  await world.docker.getContainer(containers[0] ?? "").kill();
  await until("it was restarted", async () => (await statesOf()).get(crashed)?.restarts === 1, patienceMs);
  await untilAllRun();
  const [after, expected] = [await starts(), new Map(before)];
  assert.notEqual(after.get(crashed), expected.get(crashed));
  expected.delete(crashed);
  after.delete(crashed);
  assert.deepEqual(after, expected);
});

await step("deleted at once, and nothing is left", async () => {
  await Promise.all(names.map((name) => runtimes.deleteRuntime({ name })));
  const filters = { label: ["edge.runtime"] };
  const [containers, networks, { Volumes }] = await Promise.all([
    world.docker.listContainers({ all: true, filters }),
    world.docker.listNetworks({ filters }),
    world.docker.listVolumes({ filters }),
  ]);
  assert.deepEqual([containers, networks, Volumes], [[], [], []]);
});

async function step(what: string, work: () => Promise<void>): Promise<void> {
  const from = performance.now();
  await work();
  process.stdout.write(`${((performance.now() - from) / 1000).toFixed(1).padStart(6)} s  ${what}\n`);
}

async function statesOf() {
  const all = (await runtimes.listRuntimes({})).runtimes;
  return new Map(all.map((one) => [one.spec?.name ?? "", one]));
}

async function untilAllRun(): Promise<void> {
  const isUp = async () => {
    const phases = [...(await statesOf()).values()].map(({ phase }) => phase);
    return phases.filter((phase) => phase === RuntimePhase.RUNNING).length === count;
  };
  await until(`all ${count} run`, isUp, patienceMs);
}

/** When the container of each was started, by the engine itself. */
async function starts(): Promise<Map<string, string>> {
  const containers = await world.docker.listContainers({ filters: { label: ["edge.runtime"] } });
  const found = containers.map(async ({ Id, Labels }) => {
    const { State } = await world.docker.getContainer(Id).inspect();
    return [Labels["edge.runtime"] ?? "", `${Id} ${State.StartedAt}`] as const;
  });
  return new Map((await Promise.all(found)).sort());
}
