import assert from "node:assert/strict";
import { after, test } from "node:test";
import { RuntimePhase, RuntimeProfile } from "../../../gen/edge/v1/runtimes_pb.ts";
import { cpuSharesOf } from "../../../src/daemon/wishes/cpu-shares.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, leftOf, live, newName, spec } from "./life.ts";

const engine = await sharedEngine();
const idle = await idleImage(engine);
const script = await scriptImage(engine);
after(() => engine[Symbol.asyncDispose]());

const { docker } = engine;
const forever = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done";

/** Waits for a container that is not this one, and runs. */
const another = ({ runtimes }: ReturnType<typeof live>, name: string, before: string) =>
  until("another container", async () => {
    const now = await runtimes.get(name, ask().signal);
    return now.phase === RuntimePhase.RUNNING && now.containerId !== before && now;
  });

/** Waits for a word in what a container wrote. */
const saidBy = (id: string, word: string) =>
  until(`its word ${word}`, async () => {
    const said = String(await docker.getContainer(id).logs({ stdout: true, stderr: true }));
    return said.includes(word) && said;
  });

test("what a spec says of its container is what its program sees", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const name = newName();
  const look = `
    echo args=$0,$1; ulimit -n; ulimit -Hn; grep CapBnd /proc/self/status
    grep -E ' (/recipes|/scratch) ' /proc/mounts; touch /recipes/x; touch /build/x && echo build-written
    ${forever}`;
  const { runtime } = await life.runtimes.create(
    spec(idle, {
      ...{ name, entrypoint: ["/bin/sh", "-c", look], command: ["one", "two words"] },
      volumes: [
        { name: "recipes", path: "/recipes", readOnly: true },
        { name: "build", path: "/build" },
      ],
      tmpfs: [{ path: "/scratch", sizeBytes: 1n << 20n }],
      ulimits: [{ name: "nofile", soft: 512n, hard: 1024n }],
      capabilities: ["SYS_NICE"],
      log: { fileBytes: 65_536n, files: 2 },
      resources: { cpuWeight: 200, cpuQuotaMillis: 500 },
    }),
    ask(),
  );
  const said = await saidBy(runtime.containerId, "build-written");
  for (const word of [/args=one,two words/, /\n.*512\n/, /\n.*1024\n/, /\/recipes .* ro[, ]/, /size=1024k/]) {
    assert.match(said, word);
  }
  assert.match(said, /\/recipes\/x: Read-only file system/);
  const sysNice = 1n << 23n;
  const bounding = BigInt(`0x${/CapBnd:\s+([0-9a-f]+)/.exec(said)?.[1]}`);
  assert.equal(bounding & sysNice, sysNice);
  const { HostConfig } = await docker.getContainer(runtime.containerId).inspect();
  assert.deepEqual(HostConfig.LogConfig?.Config, { "max-file": "2", "max-size": "65536" });
  assert.deepEqual([HostConfig.CpuPeriod, HostConfig.CpuQuota], [100_000, 50_000]);
  const { CgroupVersion } = (await docker.info()) as { CgroupVersion: string };
  assert.equal(HostConfig.CpuShares, CgroupVersion === "2" ? 5219 : 2048);
  await life.runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});

test("named volumes outlive their container, are kept together, and one that vanished is made again with the reason", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const name = newName();
  const DO = `cat /a/kept /data/kept; echo in-a >/a/kept; echo in-data >/data/kept; ${forever}`;
  const wanted = spec(script, {
    ...{ name, env: [{ name: "DO", value: DO }], volumes: [{ name: "a", path: "/a" }] },
  });
  const { runtime } = await runtimes.create(wanted, ask());
  const volumes = (await leftOf(engine, name)).filter((one) => one.startsWith("volume/")).toSorted();
  const own = volumes[0] ?? "";
  assert.deepEqual(volumes, [own, `${own}.a`]);

  await docker.getContainer(runtime.containerId).remove({ force: true });
  const again = await another(life, name, runtime.containerId);
  assert.match(await saidBy(again.containerId, "in-data"), /in-a/);

  await runtimes.delete(name, { keepVolume: true }, ask());
  assert.deepEqual((await leftOf(engine, name)).toSorted(), volumes);
  const taken = await runtimes.create(wanted, ask());
  await saidBy(taken.runtime.containerId, "in-a");

  const removed = await runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(removed.filter((one) => one.startsWith("volume/")).toSorted(), volumes);
  assert.deepEqual(await leftOf(engine, name), []);
});

test("a runtime a with a volume b and a runtime a-b have nothing in common", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const name = newName();
  await life.runtimes.create(spec(idle, { name, volumes: [{ name: "b", path: "/b" }] }), ask());
  await life.runtimes.create(spec(idle, { name: `${name}-b` }), ask());
  await life.runtimes.delete(name, { keepVolume: false }, ask());
  assert.equal((await leftOf(engine, `${name}-b`)).length, 3);
  await life.runtimes.delete(`${name}-b`, { keepVolume: false }, ask());
});

test("what the node does not allow, and what its engine cannot give to who asks by name, fails a create in a sentence", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { allowedCapabilities: () => ["NET_RAW"] });
  const create = (init: Partial<Parameters<typeof spec>[1]>) => {
    const name = newName();
    return assertGone(life.runtimes.create(spec(idle, { ...init, name }), ask()), name);
  };
  assert.deepEqual(await create({ capabilities: ["NET_RAW", "SYS_ADMIN"] }), {
    kind: "denied",
    message:
      "spec.capabilities[1]: SYS_ADMIN is not allowed on this node, whose setting policy.capabilities allows NET_RAW",
  });
  assert.deepEqual(await create({ ulimits: [{ name: "nofile", soft: 1n << 40n, hard: 1n << 40n }] }), {
    kind: "unsupported",
    message:
      "the engine may not raise the limit nofile on this machine: ask for less, or raise the engine's own",
  });
  const overFile = await create({ volumes: [{ name: "passwd", path: "/etc/passwd" }] });
  assert.equal(overFile.kind, "invalid");
  assert.match(
    overFile.message,
    /^a volume cannot be mounted there, because the image has a file at its place: /,
  );
  // Another runtime's refusal changes nothing for who does not ask by name.
  const name = newName();
  const { runtime } = await life.runtimes.create(spec(idle, { name }), ask());
  assert.equal(runtime.reason, "its container runs");
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});

async function assertGone(
  creating: Promise<unknown>,
  name: string,
): Promise<{ kind: string; message: string }> {
  const thrown = await creating.then(
    () => assert.fail("it was created"),
    (reason: unknown) => reason as { kind: string; message: string }, // A failure, as the caller compares.
  );
  assert.deepEqual(await leftOf(engine, name), []);
  return { kind: thrown.kind, message: thrown.message };
}

test("a soft PLC keeps what it is built of, and one from before that stays as it was", async () => {
  using folder = tempFolder();
  const [now, before] = [newName(), newName()];
  const openplc = (name: string) => spec(idle, { name, profile: RuntimeProfile.OPENPLC });
  let old = "";
  {
    await using life = live(folder.path, engine.socketPath);
    const made = await life.runtimes.create(openplc(now), ask());
    const { Mounts } = await docker.getContainer(made.runtime.containerId).inspect();
    assert.deepEqual(Mounts.map(({ Destination }) => Destination).toSorted(), [
      ...["/var/run/runtime", "/workdir/build", "/workdir/core/generated", "/workdir/webserver"],
    ]);
    const version = made.runtime.imageId.replace("sha256:", "").slice(0, 12);
    const ofImage = (await leftOf(engine, now)).filter((one) => one.endsWith(version));
    assert.equal(ofImage.length, 3, "each image has volumes of its own for what fits no other");
    await life.runtimes.delete(now, { keepVolume: false }, ask());
    assert.deepEqual(await leftOf(engine, now), []);

    old = (await life.runtimes.create(openplc(before), ask())).runtime.containerId;
    life.sql.run("UPDATE runtimes SET profile_version = 1, image_id = '' WHERE name = ?", before);
  }
  await using life = live(folder.path, engine.socketPath);
  const isKept = () => life.sql.get("SELECT image_id FROM runtimes WHERE name = ?", before)?.image_id !== "";
  await until("its image is kept", isKept);
  assert.equal((await life.runtimes.get(before, ask().signal)).containerId, old, "and it was left alone");
  await docker.getContainer(old).remove({ force: true });
  const again = await another(life, before, old);
  const { Mounts } = await docker.getContainer(again.containerId).inspect();
  assert.deepEqual(
    Mounts.map(({ Destination }) => Destination),
    ["/var/run/runtime"],
  );
  await life.runtimes.delete(before, { keepVolume: false }, ask());
});

test("a weight below the usual one is less, and one above it is more, however the engine reads shares", () => {
  const straight = (shares: number) => 1 + ((shares - 2) * 9999) / 262_142;
  const curved = (shares: number) => {
    const l = Math.log2(shares);
    return 10 ** ((l * l + 125 * l) / 612 - 7 / 34);
  };
  let last = 0;
  for (let weight = 1; weight <= 10_000; weight += weight < 200 ? 1 : 97) {
    const shares = cpuSharesOf(weight, 2);
    assert.equal(shares === undefined, weight === 100);
    if (shares === undefined) continue;
    assert.ok(shares >= last && shares <= 262_144);
    last = shares;
    for (const read of [straight, curved]) {
      assert.equal(Math.sign(read(shares) - 100), Math.sign(weight - 100), `${weight}`);
    }
  }
  assert.deepEqual([cpuSharesOf(0, 1), cpuSharesOf(50, 1), cpuSharesOf(200, 1)], [undefined, 512, 2048]);
});

test("a volume that the engine makes late, for a create of an earlier life, is known as ours and taken up", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const name = newName();
  const wish = spec(idle, { name });
  const { runtime } = await life.runtimes.create(wish, ask());
  const { Mounts } = (await docker.getContainer(runtime.containerId).inspect()).HostConfig;
  await life.runtimes.delete(name, { keepVolume: false }, ask());
  const late = await docker.createContainer({ Image: idle, HostConfig: { ...(Mounts && { Mounts }) } });
  await late.remove({ v: false });
  const { created } = await life.runtimes.create(wish, ask());
  assert.equal(created, true);
  await life.runtimes.delete(name, { keepVolume: false }, ask());
  assert.deepEqual(await leftOf(engine, name), []);
});
