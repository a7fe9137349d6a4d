/** All that a daemon made goes, on a real engine, and what netmon keeps for it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AttachmentSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import { AddressMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { purge } from "../../../src/daemon/decommission/purge.ts";
import { fakeNetmon, type Kept } from "../../fakes/netmon.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "../runtimes/life.ts";

await using opened = new AsyncDisposableStack();
const engine = opened.use(await sharedEngine());
const image = await idleImage(engine);
const owned = opened.move();
after(() => owned.disposeAsync());

/** Agents' cells go by themselves: test/daemon/sandbox. */
const agents = { purge: () => Promise.resolve() };
let destroyed = 0;
const secrets = {
  destroy: () => {
    destroyed++;
    return Promise.resolve();
  },
};

test("nothing is begun without a netmon that was there once; with it all vNICs go, and no other daemon's", async () => {
  using folder = tempFolder();
  const socket = join(folder.path, "netmon.sock");
  const theirs = create(AttachmentSchema, { owner: "another-daemon/press", runtime: "press" });
  const kept: Kept = { attachments: new Map([[theirs.owner, theirs]]), events: [] };
  const netmon = await fakeNetmon(socket, kept);
  await using life = live(folder.path, engine.socketPath, { netmon: socket });
  const name = newName();
  const vnics = [{ name: "lan0", parent: "eth0", addressMode: AddressMode.STATIC, address: "10.77.0.90/24" }];
  await life.runtimes.create(spec(image, { name, vnics }), ask());
  await life.runtimes.lock(name, { reason: "a batch is in it" }, ask());
  assert.equal(kept.attachments.size, 2);

  await netmon[Symbol.asyncDispose]();
  await until("it is known to be away", () => life.network.netmon.at === "away");
  const found: string[] = [];
  const take = (names: readonly string[]) => void found.push(...names);
  await assert.rejects(purge({ ...life, agents, secrets }, ask(), take), {
    kind: "unavailable",
    message: /netmon.*vNICs of this node/,
  });
  assert.deepEqual([found, life.runtimes.names(), destroyed], [[], [name], 0]);

  await using _again = await fakeNetmon(socket, kept);
  await until("netmon is back", () => life.network.netmon.at === "there");
  life.runtimes.close(failure("conflict", "it is taken out of service"));
  await assert.rejects(life.runtimes.create(spec(image, { name: newName() }), ask()), /taken out of service/);
  await purge({ ...life, agents, secrets }, ask(), take);
  assert.equal(new Set(found).size, 3, found.join());
  assert.deepEqual([[...kept.attachments.keys()], destroyed], [[theirs.owner], 1]);
  assert.deepEqual([life.runtimes.names(), await leftOf(engine, name)], [[], []]);
});

test("a create that is under way ends with it", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { settleMs: 30_000 });
  const name = newName();
  const creating = life.runtimes.create(spec(image, { name }), ask());
  const ended = assert.rejects(creating, /was deleted before it ran/);
  await until("its container is there", async () => (await leftOf(engine, name)).length === 3);
  await purge({ ...life, agents, secrets }, ask(), () => {});
  await ended;
  assert.deepEqual(await leftOf(engine, name), []);
});
