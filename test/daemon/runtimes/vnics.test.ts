import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode, Ipv6Mode, VnicChangeKind, VnicPhase } from "../../../gen/edge/v1/vnics_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { type FakeNetmon, fakeNetmon, type Kept } from "../../fakes/netmon.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, live, newName, spec } from "./life.ts";
import { takenAddress, vnicSuite } from "./vnics.suite.ts";

await using opened = new AsyncDisposableStack();
const engine = opened.use(await sharedEngine());
const folder = opened.use(tempFolder());
const socket = join(folder.path, "netmon.sock");
const nothing = (): Kept => ({ attachments: new Map(), events: [] });
let kept = nothing();
let netmon: FakeNetmon;
const startNetmon = async () => {
  netmon = await fakeNetmon(socket, kept);
  netmon.taken.set(takenAddress, "02:00:00:00:00:66");
};
const killNetmon = async () => {
  await netmon[Symbol.asyncDispose]();
};
await startNetmon();
opened.defer(killNetmon);
const owned = opened.move();
after(() => owned.disposeAsync());

await vnicSuite({
  ...{ engine, socket, startNetmon, killNetmon },
  wipeNetmon: () => {
    kept = nothing();
  },
});

const image = await idleImage(engine);

test("a vNIC that waits or is refused never stops its runtime, and its changes reach the status", async () => {
  using state = tempFolder();
  await using life = live(state.path, engine.socketPath, { netmon: socket });
  const { runtimes } = life;
  const name = newName();
  netmon.hasCarrier = false;
  const vnics = [{ name: "lan0", parent: "eth0", addressMode: AddressMode.STATIC, address: "10.77.0.90/24" }];
  const { runtime } = await runtimes.create(spec(image, { name, vnics }), ask());
  assert.deepEqual([runtime.phase, runtime.vnics[0]?.phase], [RuntimePhase.RUNNING, VnicPhase.NO_CARRIER]);
  netmon.hasCarrier = true;
  const told = new Promise<void>((resolve) => void runtimes.changes.listen(resolve));
  netmon.changed();
  await told;
  await until("it is up", () => runtimes.status().runtimes[0]?.vnics[0]?.phase === VnicPhase.UP);

  // It lost its disk, and meanwhile another machine took the address.
  await killNetmon();
  kept = nothing();
  await startNetmon();
  netmon.taken.set("10.77.0.90", "02:00:00:00:00:90");
  const refused = await until("it is refused", async () => {
    const now = await runtimes.get(name, ask().signal);
    return now.vnics[0]?.phase === VnicPhase.FAILED && now;
  });
  assert.deepEqual([refused.phase, refused.startedAt], [RuntimePhase.RUNNING, runtime.startedAt]);
  assert.match(
    refused.vnics[0]?.reason ?? "",
    /^02:00:00:00:00:90 has 10\.77\.0\.90 already; it is tried again$/,
  );
  const again = await runtimes.restart(name, ask());
  assert.equal(again.phase, RuntimePhase.RUNNING, "a restart is not refused, either");
  netmon.taken.delete("10.77.0.90");
  await until("it was tried again", async () => {
    const [vnic] = (await runtimes.get(name, ask().signal)).vnics;
    return vnic?.phase === VnicPhase.UP;
  });
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("the engine leaves IPv6 on in the container of a vNIC that has it", async () => {
  using state = tempFolder();
  await using life = live(state.path, engine.socketPath, { netmon: socket });
  const name = newName();
  const vnics = [{ name: "lan0", parent: "eth0", ipv6Mode: Ipv6Mode.SLAAC }];
  const { runtime } = await life.runtimes.create(spec(image, { name, vnics }), ask());
  const { HostConfig } = await engine.docker.getContainer(runtime.containerId).inspect();
  assert.deepEqual(HostConfig.Sysctls, {
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
  });
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("a daemon that dies between plugging in and starting takes its create up again: plugged in once", async () => {
  using state = tempFolder();
  await using proxy = await engineProxy(engine.socketPath);
  const name = newName();
  const wish = spec(image, { name, vnics: [{ name: "lan0", parent: "eth0" }] });
  const died = Promise.withResolvers<void>();
  {
    const life = live(state.path, proxy.socketPath, { netmon: socket });
    proxy.decide = (line) => {
      if (!line.endsWith("/start")) return "pass";
      died.resolve(life[Symbol.asyncDispose]());
      return "break-afterwards";
    };
    const stopped = new AbortController();
    const creating = life.runtimes.create(wish, ask({ id: name, signal: stopped.signal }));
    await died.promise;
    stopped.abort(failure("cancelled", "the daemon stops"));
    await assert.rejects(creating);
  }
  assert.ok(
    [...kept.attachments.keys()].some((owner) => owner.endsWith(`/${name}`)),
    "netmon knew it before the start",
  );
  await using life = live(state.path, engine.socketPath, { netmon: socket });
  const { created, runtime } = await life.runtimes.create(wish, ask({ id: name }));
  assert.deepEqual([created, runtime.vnics[0]?.phase], [true, VnicPhase.UP]);
  await life.runtimes.delete(name, { keepVolume: false }, ask());
  const facts = () => life.events().flatMap(({ fact }) => (fact.case === "vnic" ? fact.value.kind : []));
  await until("both facts", () => facts().length >= 2);
  assert.deepEqual(facts(), [VnicChangeKind.ATTACHED, VnicChangeKind.DETACHED]);
});
