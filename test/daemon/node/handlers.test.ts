import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, hostname, totalmem } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { NetworkPictureSchema } from "../../../gen/edge/v1/netmon_pb.ts";
import {
  EngineSchema,
  GetInterfacesRequestSchema,
  GetMetricsRequestSchema,
  GetNodeRequestSchema,
} from "../../../gen/edge/v1/node_pb.ts";
import { Transport } from "../../../gen/edge/v1/transport_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Metrics, schema } from "../../../src/daemon/metrics/index.ts";
import {
  getInterfaces,
  getMetrics,
  getNode,
  machineRoots,
  type NodeRoom,
  readInventory,
} from "../../../src/daemon/node/index.ts";
import { readInterfaces } from "../../../src/daemon/node/interfaces.ts";
import type { Ask } from "../../../src/daemon/work/index.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";

const ask: Ask = { id: "c1", actor: "test", signal: new AbortController().signal, progress: () => {} };

function nodeOn(folder: string, over: Partial<NodeRoom> = {}): NodeRoom {
  return {
    ...{ roots: machineRoots, version: "1.2.3", startedAt: Date.UTC(2026, 0, 1), now: Date.now },
    inventory: readInventory({ roots: machineRoots, stateFolder: folder, now: Date.now }),
    identity: () => undefined,
    link: () => ({
      ...{ connected: false, hubOffsetMs: undefined, renewsAt: undefined },
      ...{ address: undefined, transport: Transport.UNSPECIFIED, proxy: undefined, problem: "no way" },
    }),
    engine: async () => create(EngineSchema, { reachable: false, problem: "the engine is away" }),
    picture: () => undefined,
    check: async () => [],
    hasRuntime: () => false,
    ...over,
  };
}

test("GetInterfaces tells what netmon sees, routes and all, and what the kernel says while netmon is away", async () => {
  using folder = tempFolder();
  const request = create(GetInterfacesRequestSchema);
  // Interfaces of this machine come and go while others test.
  await until("the kernel says the same twice", async () => {
    const away = await getInterfaces({ node: nodeOn(folder.path) }, request, ask);
    return isDeepStrictEqual(away, readInterfaces(machineRoots));
  });
  const picture = create(NetworkPictureSchema, {
    interfaces: [{ name: "eth0", routes: [{ destination: "0.0.0.0/0", gateway: "10.77.0.1" }] }],
  });
  const { interfaces } = await getInterfaces(
    { node: nodeOn(folder.path, { picture: () => picture }) },
    request,
    ask,
  );
  assert.deepEqual(interfaces, picture.interfaces);
});

test("GetNode says what the machine is before enrolment, and who it is after", async () => {
  using folder = tempFolder();
  const request = create(GetNodeRequestSchema);
  const before = await getNode({ node: nodeOn(folder.path) }, request, ask);
  const { inventory } = before;
  assert.deepEqual(
    [inventory?.hostName, inventory?.cpuCount, Number(inventory?.memoryBytes)],
    [hostname(), cpus().length, totalmem()],
  );
  assert.ok(inventory?.bootedAt && timestampMs(inventory.bootedAt) < Date.now());
  assert.ok(inventory.diskBytes > 0n && inventory.kernel !== "" && inventory.operatingSystem !== "");
  assert.deepEqual([before.nodeId, before.hubAddress, before.connected], ["", "", false]);
  assert.equal(before.clock?.hubOffsetMs, undefined);
  assert.equal(before.engine?.problem, "the engine is away");
  assert.ok(before.daemonStartedAt && timestampMs(before.daemonStartedAt) === Date.UTC(2026, 0, 1));

  const node = nodeOn(folder.path, {
    identity: () => ({ nodeId: "n1", hubAddress: "hub:7443", expiresAt: 3_000 }),
    link: () => ({
      ...{ connected: true, hubOffsetMs: -1234.6, renewsAt: 2_000 },
      ...{ address: undefined, transport: Transport.WEBSOCKET, proxy: "proxy:3128", problem: undefined },
    }),
  });
  const after = await getNode({ node }, request, ask);
  assert.deepEqual([after.nodeId, after.hubAddress, after.connected], ["n1", "hub:7443", true]);
  assert.equal(after.clock?.hubOffsetMs, -1235n);
  assert.deepEqual([after.certificateExpiresAt?.seconds, after.certificateRenewsAt?.seconds], [3n, 2n]);
});

test("a machine tells its maker from its firmware, or a board its model; without either it has none", async () => {
  using folder = tempFolder();
  const at = (name: string) => join(folder.path, name);
  const roots = { ...machineRoots, sys: at("sys"), proc: at("proc"), etc: at("etc") };
  const model = async () => await readInventory({ roots, stateFolder: folder.path, now: Date.now });
  assert.deepEqual(await model().then((it) => [it.systemModel, it.operatingSystem]), ["", ""]);
  mkdirSync(at("proc/device-tree"), { recursive: true });
  writeFileSync(at("proc/device-tree/model"), "Raspberry Pi 4 Model B Rev 1.5\0");
  assert.equal((await model()).systemModel, "Raspberry Pi 4 Model B Rev 1.5");
  mkdirSync(at("sys/class/dmi/id"), { recursive: true });
  writeFileSync(at("sys/class/dmi/id/sys_vendor"), "Beckhoff Automation\n");
  writeFileSync(at("sys/class/dmi/id/product_name"), "C6015 \n");
  mkdirSync(at("etc"));
  writeFileSync(at("etc/os-release"), 'NAME=x\nPRETTY_NAME="A \\"quoted\\" Linux"\n');
  assert.deepEqual(await model().then((it) => [it.systemModel, it.operatingSystem]), [
    "Beckhoff Automation C6015",
    'A "quoted" Linux',
  ]);
});

test("GetMetrics answers the last hour in UTC, and refuses ranges and runtimes that are none", async () => {
  using folder = tempFolder();
  using sql = Sql.open(join(folder.path, "db"), [schema], Date.now);
  const metrics = Metrics.open({
    ...{
      sql,
      clock: systemClock,
      log: openLog({ program: "test", level: "silent", format: "json" }),
      intervalMs: 10,
    },
    sources: { proc: "/proc", stateFolder: folder.path, trafficInterfaces: () => new Set() },
    runtimeSamples: async () => new Map(),
  });
  const node = nodeOn(folder.path, { hasRuntime: (name) => name === "plc1" });
  const get = (init: MessageInitShape<typeof GetMetricsRequestSchema> = {}) =>
    getMetrics({ node, metrics }, create(GetMetricsRequestSchema, init), ask);

  const startedAt = Date.now();
  const stop = new AbortController();
  const running = metrics.run(stop.signal);
  const { points, resolutionMs } = await until("three points", async () => {
    const answer = await get();
    return answer.points.length >= 3 && answer;
  });
  assert.equal(resolutionMs, 10);
  for (const { at } of points)
    assert.ok(at && timestampMs(at) >= startedAt - 1000 && timestampMs(at) <= Date.now());
  assert.equal((await get({ maxPoints: 1 })).points.length, 1);
  stop.abort();
  await running;

  assert.deepEqual((await get({ runtime: "plc1" })).points, [], "one that never ran");
  await assert.rejects(get({ runtime: "plc2" }), { kind: "not_found", message: /no runtime plc2/ });
  const since = { seconds: 2_000_000_000n };
  await assert.rejects(get({ since, until: since }), {
    kind: "invalid",
    message:
      "since: 2033-05-18T03:33:20.000Z is not before until; until: 2033-05-18T03:33:20.000Z is not after since",
  });
  await assert.rejects(get({ since: { seconds: 2n ** 62n } }), { kind: "invalid", message: /ms since 1970/ });
  assert.ok(
    (await get({ since: { seconds: -(2n ** 62n) }, until: { seconds: 2n ** 62n } })).points.length >= 3,
  );
});
