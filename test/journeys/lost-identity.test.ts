/** An identity that two machines have, and one that ended too long ago: both sides say it, nothing is lost, and there is a way back. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CommandSchema } from "../../gen/edge/v1/command_pb.ts";
import { CommandState } from "../../gen/edge/v1/fleet_pb.ts";
import { Memory } from "../../gen/edge/v1/memory_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimePhase, RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { type Program, program, runOnce } from "./program.ts";
import { atTime } from "./trouble/other-time.ts";
import { until } from "./until.ts";
import { serviceAt, startWorld, type World } from "./world.ts";

let world: World;
let startedAt: unknown;
before(async () => {
  world = await startWorld({ env: { ORCHESTRATOR_HUB_RENEWAL_GRACE_DAYS: "0" } });
  const spec = { name: "plc", image: world.image, profile: RuntimeProfile.PLAIN };
  startedAt = (await world.remote(Runtimes).createRuntime({ spec })).runtime?.startedAt;
});
after(() => world[Symbol.asyncDispose]());

type Request = NonNullable<Exclude<MessageInitShape<typeof CommandSchema>, { $typeName: string }>["request"]>;

async function submit(id: string, request: Request, nodeId = world.nodeId): Promise<void> {
  await world.fleet().submitCommand({ nodeId, command: create(CommandSchema, { id, request }) });
}

/** What became of a command: the kind of its answer. */
async function answered(id: string): Promise<string | undefined> {
  return await until(`${id} is answered`, async () => {
    const { command } = await world.fleet().getCommand({ id });
    return command?.state === CommandState.FINISHED && command.result?.outcome.case;
  });
}

/** Has a node remember something, which shows how often it did it. */
async function does(text: string, nodeId = world.nodeId): Promise<void> {
  const id = text.replace(" ", "-");
  await submit(id, { case: "storeMemory", value: { group: "notes", text } }, nodeId);
  assert.equal(await answered(id), "storeMemory");
}

const nodeAt = async (id: string) => (await world.fleet().listNodes({})).nodes.find((one) => one.id === id);
const notesOf = async (socket: string) => {
  const { entries } = await serviceAt(socket, Memory).searchMemory({ group: "notes", text: "note" });
  return entries.map(({ text }) => text);
};

async function untouched(): Promise<void> {
  const { runtime } = await world.local(Runtimes).getRuntime({ name: "plc" });
  assert.deepEqual(
    [runtime?.phase, runtime?.restarts, runtime?.startedAt],
    [RuntimePhase.RUNNING, 0, startedAt],
  );
}

it("a machine that was copied: both sides say it, each command has its effect once, and the copy gets an identity of its own", async () => {
  await does("note 1");
  await world.daemon.stop();
  const copyDir = join(world.folder, "copy");
  cpSync(join(world.folder, "daemon"), copyDir, { recursive: true });
  const env = {
    ...world.env,
    ORCHESTRATOR_DAEMON_DATA_DIR: copyDir,
    ORCHESTRATOR_DOCKER_HOST: "unix:///nowhere.sock",
  };
  await using copy: Program = program(["daemon", "start"], { env });
  const copySocket = join(copyDir, "daemon.sock");
  const atCopy = () => serviceAt(copySocket, Node).getNode({});
  await world.startDaemon();
  await world.connected();

  copy.start();
  const refused =
    /another running daemon has this node's identity: stop one of the two, and enrol it with a token of its own/;
  await until("the copy is refused", async () => refused.test((await atCopy()).hubProblem));
  const warning =
    /^two machines hold this node's identity: .+ is served, .+ was refused; the workloads of both go on$/;
  assert.match((await nodeAt(world.nodeId))?.warning ?? "", warning);
  await does("note 2");

  // The power of the one is cut, and the other is taken for it: who is served goes on when the first is back.
  await world.daemon.kill9();
  await copy.kill9();
  copy.start();
  await until("the copy is served", async () => (await atCopy()).connected);
  await does("note 3");
  await world.startDaemon();
  await until("one of the two is refused", async () =>
    [await atCopy(), await world.local(Node).getNode({})].some((one) => refused.test(one.hubProblem)),
  );
  await does("note 4");

  const { token } = await world.fleet().createEnrolmentToken({});
  const { code, stderr } = await runOnce(["daemon", "enroll", "--force", "--token", token], { env });
  assert.equal(code, 0, stderr);
  await Promise.all([copy.kill9(), world.daemon.kill9()]);
  copy.start();
  await world.startDaemon();
  await until("both are connected", async () => {
    const { nodes } = await world.fleet().listNodes({});
    return nodes.length === 2 && nodes.every((one) => one.connected);
  });
  const { nodeId: copyId } = await atCopy();
  assert.notEqual(copyId, world.nodeId);
  await does("note 5", copyId);
  await does("note 6");
  const [here, there] = [await notesOf(world.localSocket), await notesOf(copySocket)];
  assert.ok(here.includes("note 6") && there.includes("note 5"));
  const all = ["note 1", "note 1", "note 2", "note 3", "note 4", "note 5", "note 6"];
  assert.deepEqual([...here, ...there].sort(), all, "what came after the copy was made is at one of the two");
  await untouched();
  await until("each of seven starts was told, by whichever of the two nodes it was then", async () => {
    const starts = (await world.events()).filter(({ event }) => event?.fact.case === "daemonStarted");
    return starts.length === 7;
  });
});

it("a node that was off for too long is told the way back, goes on by itself, and is itself again with its queue", async () => {
  await Promise.all([world.hub.stop(), world.daemon.stop()]);
  Object.assign(world.env, atTime("+40d"));
  await world.startHub();
  await submit("later", { case: "createRuntime", value: { spec: { name: "later", image: world.image } } });
  await world.startDaemon();
  const way = `too long ago to be renewed: enrol the node anew with \`orchestrator daemon enroll --force --token ...\` and a token of \`orchestrator hub token create --for-node ${world.nodeId}\``;
  await until("it is told", async () => (await world.local(Node).getNode({})).hubProblem.includes(way));
  assert.ok((await nodeAt(world.nodeId))?.warning.includes(way));
  await world.local(Runtimes).startRuntime({ name: "plc" });
  await untouched();

  const { token } = await world.fleet().createEnrolmentToken({ nodeId: world.nodeId });
  const { code, stderr } = await world.cli("daemon", "enroll", "--force", "--token", token);
  assert.equal(code, 0, stderr);
  assert.equal(await answered("later"), "createRuntime");
  const { nodeId, connected } = await world.local(Node).getNode({});
  assert.deepEqual([nodeId, connected], [world.nodeId, true]);
  await untouched();
});
