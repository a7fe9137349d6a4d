import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { Engine } from "../../../src/daemon/engine/engine.ts";
import {
  kernelUsage,
  parseBlocksV1,
  parseGroups,
  parseTraffic,
} from "../../../src/daemon/usage/kernel-usage.ts";
import { Stats } from "../../../src/daemon/usage/stats.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, live, newName, spec } from "../runtimes/life.ts";

const engine = await sharedEngine();
const image = await scriptImage(engine);
after(() => engine[Symbol.asyncDispose]());

const startedAt = "2026-11-21T10:00:00Z";
const measured = {
  name: "plc1",
  id: "1f2e",
  pid: 42,
  startedAt,
  memoryLimitBytes: 0,
  restarts: 2,
  oomKills: 1,
};
const now = { elapsedMs: 7, wallMs: Date.parse(startedAt) + 90_000 };

const traffic = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    5000       9    0    0    0     0          0         0     5000       9    0    0    0     0       0          0
  eth0:    1000       9    0    0    0     0          0         0       10       0    0    0    0     0       0          0
  lan0: 4000000    9999    0    0    0     0          0         0  3000000    8888    0    0    0     0       0          0
`;

test("a kernel with cgroup v2 is read as it writes", () => {
  using folder = tempFolder();
  const [proc, cgroup] = [join(folder.path, "proc"), join(folder.path, "cgroup")];
  const group = "system.slice/docker-1f2e.scope";
  const files = {
    [join(proc, "42/cgroup")]: `0::/${group}\n`,
    [join(proc, "42/net/dev")]: traffic,
    [join(cgroup, group, "memory.current")]: "10000\n",
    [join(cgroup, group, "memory.stat")]: "anon 6000\nfile 4000\ninactive_anon 1\ninactive_file 3000\n",
    [join(cgroup, group, "cpu.stat")]: "usage_usec 2000000\nuser_usec 1\nsystem_usec 2\n",
    [join(cgroup, group, "io.stat")]:
      "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n259:0 rbytes=1 wbytes=2 rios=1 wios=1\n",
    [join(cgroup, group, "pids.current")]: "3\n",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  assert.deepEqual(kernelUsage(measured, now, { proc, cgroup }), {
    ...{
      elapsedMs: 7,
      cpuNanos: 2e9,
      memoryUsedBytes: 7000,
      memoryLimitBytes: 0,
      pids: 3,
      uptimeSeconds: 90,
    },
    ...{ receivedBytes: 4_001_000, sentBytes: 3_000_010, blockReadBytes: 4097, blockWrittenBytes: 8194 },
    ...{ restarts: 2, oomKills: 1 },
  });
  const other = { ...measured, id: "3c4d" };
  assert.equal(kernelUsage(other, now, { proc, cgroup }), undefined, "a process id may be another's by now");
  assert.equal(kernelUsage({ ...measured, pid: 43 }, now, { proc, cgroup }), undefined);
  writeFileSync(join(cgroup, group, "memory.current"), "");
  writeFileSync(join(cgroup, group, "io.stat"), "");
  assert.equal(kernelUsage(measured, now, { proc, cgroup })?.blockReadBytes, 0, "nothing was read yet");
});

test("groups, links and disks have the names that they have", () => {
  const groups = parseGroups("12:cpu,cpuacct:/docker/1f\n3:memory:/docker/a:b\n1:name=systemd:/x\n0::/y\n");
  const of = {
    cpu: "/docker/1f",
    cpuacct: "/docker/1f",
    memory: "/docker/a:b",
    "name=systemd": "/x",
    "": "/y",
  };
  assert.deepEqual(groups, of);
  const disks =
    "8:0 Read 4096\n8:0 Write 10\n8:0 Sync 0\n8:16 Read 4\n8:16 Write 1\n8:16 Total 5\nTotal 4111\n";
  assert.deepEqual(parseBlocksV1(disks), { blockReadBytes: 4100, blockWrittenBytes: 11 });
  assert.deepEqual(parseTraffic(traffic.replace("lan0: 4000000", "lan:0:4000000")), {
    ...{ receivedBytes: 4_001_000, sentBytes: 3_000_010 },
  });
});

test("what a runtime uses is told by the kernel as by the engine, while it runs", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const [busy, idle] = [newName(), newName()];
  const DO = `dd if=/dev/zero of=/data/f bs=1M count=8 oflag=direct 2>/dev/null; sleep 3600 & while :; do :; done`;
  const { runtime } = await runtimes.create(
    spec(image, { name: busy, env: [{ name: "DO", value: DO }], resources: { memoryBytes: 64n << 20n } }),
    ask(),
  );
  await runtimes.create(spec(image, { name: idle, env: [{ name: "DO", value: "sleep 3600" }] }), ask());
  await runtimes.stop(idle, ask());

  const { signal } = ask();
  const [first] = await runtimes.statsNow([busy], signal);
  assert.equal(first?.sample?.cpuPercent, 0, "there is nothing to compare it with");
  const stats = await until("its CPU is seen", async () => {
    const found = await runtimes.statsNow([], signal);
    return found.some(({ sample }) => (sample?.cpuPercent ?? 0) > 0) ? found : undefined;
  });
  assert.deepEqual(
    stats.map(({ name, phase, sample }) => [name, phase, sample === undefined]),
    [
      [busy, RuntimePhase.RUNNING, false],
      [idle, RuntimePhase.STOPPED, true],
    ].sort(),
  );
  const sample = stats.find(({ name }) => name === busy)?.sample;
  assert.deepEqual([sample?.pids, sample?.memoryTotalBytes], [2, 64n << 20n]);
  await assert.rejects(runtimes.statsNow([busy, "gone", "lost"], signal), {
    kind: "not_found",
    message: "there is no runtime gone, lost: list the runtimes to see their names",
  });

  using asked = new Engine(`unix://${engine.socketPath}`);
  const { State } = await engine.docker.getContainer(runtime.containerId).inspect();
  const one = { ...measured, id: runtime.containerId, pid: State.Pid };
  assert.ok(kernelUsage(one, now), "this machine shows its cgroups");
  const byKernel = await until("its neighbours on the network were heard", () => {
    const usage = kernelUsage(one, now);
    return usage && usage.receivedBytes > 0 && usage;
  });
  const byEngine = await new Stats(asked, systemClock).take([{ ...one, pid: 0 }], signal);
  assert.equal(byEngine.get("plc1")?.pids, byKernel.pids);
  assert.ok(byKernel.cpuNanos > 1e6 && byKernel.memoryUsedBytes > 4096);

  for (const name of [busy, idle]) await runtimes.delete(name, { keepVolume: false }, ask());
});

test("ends for want of memory are counted, over restarts of runtime and daemon", async () => {
  using folder = tempFolder();
  const name = newName();
  {
    await using life = live(folder.path, engine.socketPath);
    const env = [{ name: "DO", value: "sleep 2; exec tail /dev/zero" }];
    await life.runtimes.create(spec(image, { name, env, resources: { memoryBytes: 8n << 20n } }), ask());
    await until("it was killed and started again", async () => {
      const { oomKills, restarts } = await life.runtimes.get(name, ask().signal);
      return oomKills > 0 && restarts > 0;
    });
    await life.runtimes.stop(name, ask());
  }
  await using life = live(folder.path, engine.socketPath);
  await until("the engine was seen", () => life.runtimes.status().engineReachable);
  const [stats] = await life.runtimes.statsNow([name], ask().signal);
  const events = life
    .events()
    .filter(({ fact }) => fact.case === "runtime" && fact.value.name === name && fact.value.outOfMemory);
  assert.ok((stats?.oomKills ?? 0) > 0);
  assert.equal(stats?.oomKills, events.length, "each end is an event, and counted once");
  await life.runtimes.delete(name, { keepVolume: false }, ask());
});
