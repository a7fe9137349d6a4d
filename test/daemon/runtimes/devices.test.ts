import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { DeviceChangeKind, DevicePhase as Phase } from "../../../gen/edge/v1/devices_pb.ts";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { ownDev } from "../../fixtures/dev.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage } from "../../fixtures/images.ts";
import { program } from "../../journeys/program.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "./life.ts";

await using opened = new AsyncDisposableStack();
const dev = opened.use(ownDev());
const folder = opened.use(tempFolder());
const engine = opened.use(await startEngine({ name: "devices" }));
const socket = join(folder.path, "netmon.sock");
const netmon = opened.use(
  program(["netmon", "start"], {
    under: ["nsenter", `--net=/run/netns/${engine.netns}`],
    env: { ORCHESTRATOR_NETMON_SOCKET: socket, ORCHESTRATOR_NETMON_DEV_DIR: dev.path },
  }),
);
netmon.start();
await until("netmon is up", () => netmon.output().includes("netmon is up"));
const image = await idleImage(engine);
opened.defer(() => netmon.stop()); // Killed, it leaves the program that hears the kernel, until the next notice.
const owned = opened.move();
after(() => owned.disposeAsync());

/** What the usual policy allows, and a device that opens. */
const byId = "/dev/serial/by-id/usb-A";
const fuse = "c 10:229";
const lives = (path: string) => live(path, engine.socketPath, { netmon: socket, devFolder: dev.path });

const kindNames = new Map<number, string>(
  Object.entries(DeviceChangeKind).map(([kind, value]) => [value, kind]),
);

test("a runtime begins without its device, gets it when it is plugged in, and each change is told once", async () => {
  using state = tempFolder();
  const name = newName();
  const wish = spec(image, { name, devices: [{ nodePath: byId, path: "/dev/ttyPLC" }] });
  const facts: string[] = [];
  const factsOf = (life: ReturnType<typeof live>) =>
    life
      .events()
      .flatMap(({ fact }) =>
        fact.case === "device" ? `${kindNames.get(fact.value.kind)} ${fact.value.device?.number}` : [],
      );
  const is = (life: ReturnType<typeof live>, phase: Phase) =>
    until(`its device is in phase ${phase}`, async () => {
      const { devices } = await life.runtimes.get(name, AbortSignal.timeout(10_000));
      return devices[0]?.phase === phase && devices[0];
    });
  const plug = (node: string) => {
    dev.node(node, fuse);
    dev.link(byId.slice(5), `../../${node}`);
  };
  const pull = (node: string) => {
    dev.remove(node);
    dev.remove(byId.slice(5));
  };
  let containerId = "";
  {
    await using life = lives(state.path);
    const { runtime } = await life.runtimes.create(wish, ask());
    containerId = runtime.containerId;
    assert.deepEqual([runtime.phase, runtime.devices[0]?.phase], [RuntimePhase.RUNNING, Phase.ABSENT]);
    assert.equal(runtime.devices[0]?.reason, `${byId} is not there`);
    plug("ttyUSB0");
    assert.equal((await is(life, Phase.PRESENT)).realPath, "/dev/ttyUSB0");
    const short = () => life.runtimes.status().runtimes[0]?.devices[0]?.phase === Phase.PRESENT;
    await until("the status in short has it, too", short);
    assert.deepEqual(factsOf(life), ["PLUGGED c 10:229"]);
  }
  // What happens while the daemon is away is told by the next one, once.
  pull("ttyUSB0");
  {
    await using life = lives(state.path);
    await is(life, Phase.ABSENT);
    plug("ttyUSB7");
    await is(life, Phase.PRESENT);
    facts.push("PLUGGED c 10:229", "UNPLUGGED ", "PLUGGED c 10:229");
    await until("three facts", () => factsOf(life).length === 3);
    assert.deepEqual(factsOf(life), facts);

    // Its wish may change while it runs; and nothing of it is left with its end.
    const devices = [{ nodePath: byId, path: "/dev/ttyOther", readOnly: true }];
    await life.runtimes.update(spec(image, { name, devices }), {}, ask());
    const changed = await until("the other path", async () => {
      const runtime = await life.runtimes.get(name, AbortSignal.timeout(10_000));
      return runtime.devices[0]?.path === "/dev/ttyOther" && runtime;
    });
    assert.deepEqual([changed.containerId, changed.devices[0]?.phase], [containerId, Phase.PRESENT]);
    await life.runtimes.delete(name, { keepVolume: false }, ask());
    await until("its end", () => factsOf(life).at(-1)?.startsWith("UNPLUGGED"));
    assert.deepEqual(await leftOf(engine, name), []);
  }
  pull("ttyUSB7");
});

test("what the node's owner does not allow, what is no device and what another has is refused by name", async () => {
  using state = tempFolder();
  await using life = lives(state.path);
  const { runtimes } = life;
  dev.node("ttyS0", fuse);
  dev.link("ttyAMA0", "ttyS0");
  dev.link("ttyS9", "/etc/shadow");
  const [one, two] = [newName(), newName()];
  const creates = (name: string, ...devices: { nodePath: string; shared?: boolean }[]) =>
    runtimes.create(spec(image, { name, devices }), ask());
  await assert.rejects(creates(one, { nodePath: "/dev/mem" }), {
    ...{
      kind: "denied",
      message: /node_path: \/dev\/mem is not allowed on this node, whose setting policy\.devices/,
    },
  });
  await assert.rejects(creates(one, { nodePath: "/dev/ttyS9" }), {
    ...{ kind: "invalid", message: /\/dev\/ttyS9 leads to \/etc\/shadow, which is not below \/dev/ },
  });
  await creates(one, { nodePath: "/dev/ttyS0" });
  for (const nodePath of ["/dev/ttyS0", "/dev/ttyAMA0"]) {
    const message = new RegExp(`${nodePath} is used by runtime ${one}.*shared`);
    await assert.rejects(creates(two, { nodePath, shared: true }), { kind: "conflict", message });
  }
  assert.deepEqual(await leftOf(engine, two), []);
  await runtimes.delete(one, { keepVolume: false }, ask());
  await creates(one, { nodePath: "/dev/ttyS0", shared: true });
  const { runtime } = await creates(two, { nodePath: "/dev/ttyAMA0", shared: true });
  assert.deepEqual([runtime.devices[0]?.reason, runtime.devices[0]?.phase], ["", Phase.PRESENT]);
  for (const name of [one, two]) await runtimes.delete(name, { keepVolume: false }, ask());
});

test("GPUs of an engine that has none are refused with the reason, and nothing is left", async () => {
  using state = tempFolder();
  await using life = lives(state.path);
  const name = newName();
  await assert.rejects(life.runtimes.create(spec(image, { name, gpus: { count: 1 } }), ask()), {
    ...{ kind: "unsupported", message: /the engine has no driver for GPUs: install one/ },
  });
  assert.deepEqual(await leftOf(engine, name), []);
});
