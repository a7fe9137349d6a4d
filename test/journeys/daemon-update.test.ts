/** The daemon is replaced by another version of itself, which is kept only when it proves itself. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "../../gen/edge/v1/command_pb.ts";
import { CommandState } from "../../gen/edge/v1/fleet_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { type Bundle, ownBundle, scriptBundle } from "../fixtures/bundle.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { until } from "./until.ts";
import { startWorld, type World } from "./world.ts";

describe("another version of the daemon", () => {
  const folder = tempFolder();
  let world: World;
  let startedAt: unknown;
  let asked = 0;
  before(async () => {
    world = await startWorld();
    const spec = { name: "line1", image: world.image, profile: RuntimeProfile.PLAIN };
    startedAt = (await world.remote(Runtimes).createRuntime({ spec })).runtime?.startedAt;
  });
  after(async () => {
    await world[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Puts the update into the node's queue. */
  const submit = async ({ path, sha256 }: Pick<Bundle, "path" | "sha256">, probationMs = 30_000) => {
    const id = `update-${++asked}`;
    const request = { case: "updateDaemon", value: { bundle: path, sha256, probationMs } } as const;
    await world
      .fleet()
      .submitCommand({ nodeId: world.nodeId, command: create(CommandSchema, { id, request }) });
    return id;
  };
  const resultOf = (id: string) =>
    until(`${id} is answered`, async () => {
      const { command } = await world.fleet().getCommand({ id });
      return command?.state === CommandState.FINISHED && command.result?.outcome;
    });
  const failureOf = async (id: string) => {
    const outcome = await resultOf(id);
    assert.equal(outcome.case, "failure");
    return outcome.case === "failure" ? outcome.value.message : "";
  };
  // Each daemon that stands back for another one closes the socket, and so does a trial that has told its end.
  const version = async () =>
    (await until("the daemon answers", () => world.local(Node).getNode({}))).daemonVersion;
  const untouched = async () => {
    const { runtime } = await until("the daemon says what runs", () =>
      world.local(Runtimes).getRuntime({ name: "line1" }),
    );
    assert.deepEqual(runtime?.startedAt, startedAt, "the runtime was not touched");
  };

  it("is kept when the hub let it in and it saw what runs, also over a restart", async () => {
    const outcome = await resultOf(await submit(await ownBundle(folder.path, "0.2.0")));
    assert.equal(outcome.case, "updateDaemon", JSON.stringify(outcome));
    await until("the new version answers", async () => (await version()) === "0.2.0");
    await world.connected();
    await untouched();
    const facts = (await world.events()).flatMap(({ event }) => event?.fact.case ?? []);
    assert.equal(facts.filter((one) => one === "daemonUpdate").length, 1, "told once");

    await world.daemon.kill9();
    await world.startDaemon();
    assert.equal(await version(), "0.2.0", "what is installed starts what is kept");
    await world.connected();
  });

  it("that ends, or never proves itself, is withdrawn, and the former one goes on", async () => {
    const ends = await scriptBundle(folder.path, "0.3.0", "process.exit(3);");
    assert.match(
      await failureOf(await submit(ends)),
      /version 0\.3\.0 was tried and withdrawn, 0\.2\.0 goes on: it ended with 3/,
    );
    await world.connected();
    const hangs = await scriptBundle(folder.path, "0.3.1", "setInterval(() => {}, 1000);");
    assert.match(await failureOf(await submit(hangs, 1000)), /it did not prove itself within 1000 ms/);
    assert.equal(await version(), "0.2.0");
    await untouched();
  });

  it("that was on probation when the power went is withdrawn", async () => {
    const hangs = await scriptBundle(folder.path, "0.3.2", "setInterval(() => {}, 1000);");
    await world.connected();
    const id = await submit(hangs);
    await until(
      "it is tried",
      () =>
        existsSync(join(world.env.ORCHESTRATOR_DAEMON_DATA_DIR ?? "", "programs", hangs.sha256)) &&
        !existsSync(world.localSocket),
    );
    await world.daemon.kill9();
    await world.startDaemon();
    assert.match(await failureOf(id), /the machine or the daemon ended while it was tried/);
    assert.equal(await version(), "0.2.0");
    await untouched();
  });

  it("that is another one than its hash says, or no bundle, changes nothing and leaves nothing", async () => {
    const { path } = await scriptBundle(folder.path, "0.3.3", "");
    await world.connected();
    assert.match(await failureOf(await submit({ path, sha256: "0".repeat(64) })), /it is another bundle/);
    assert.match(
      await failureOf(await submit({ path: join(folder.path, "none"), sha256: "0".repeat(64) })),
      /cannot be had/,
    );
    assert.equal(await version(), "0.2.0");
    const left = readdirSync(join(world.env.ORCHESTRATOR_DAEMON_DATA_DIR ?? "", "programs"));
    assert.equal(left.length, 2, `what is kept and its folder: ${left.join(", ")}`);
  });
});
