/** The looks of the doctor at real parts: what they see is what the machine has. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { answerOf } from "../../../src/cli/doctor/answer.ts";
import { engineInfo, engineVersion, findLeftovers } from "../../../src/cli/doctor/engine.ts";
import { findSetAside, readIdentity } from "../../../src/cli/doctor/files.ts";
import { lookAtFlash, lookAtLogs, lookAtMemory, lookAtSerial } from "../../../src/cli/doctor/hardware.ts";
import { goToHub } from "../../../src/cli/doctor/hub.ts";
import { filterIn, isForwarding } from "../../../src/cli/doctor/network.ts";
import { processes, proxyVariables, startedAs } from "../../../src/cli/doctor/processes.ts";
import { cpusIn, lookAtIsolation, lookAtPreemption, preemptionIn } from "../../../src/cli/doctor/realtime.ts";
import { missingCapabilities } from "../../../src/cli/doctor/rights.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { standInHub } from "../stand-in.ts";

const signal = new AbortController().signal;

test("a look that hangs is unknown after its time, and one that may not look says so", async () => {
  const late = await answerOf(50, signal, () => new Promise<never>(() => {}));
  assert.deepEqual(late, { is: "unknown", problem: "there was no answer in 0.05 s" });
  const denied = await answerOf(1000, signal, async () => {
    throw Object.assign(new Error("no"), { code: "EACCES" });
  });
  assert.deepEqual(denied, { is: "unknown", problem: "no", isDenied: true });
});

test("the way to a hub is judged step by step, as far as it goes", async () => {
  using folder = tempFolder();
  await using hub = await standInHub(folder.path, () => {});
  const ca = readFileSync(hub.caFile, "utf8");
  const go = async (address: string, root: string | undefined = ca) => {
    const steps = await goToHub(address, { ca: root, env: { PATH: process.env.PATH }, signal });
    return Object.values(steps).map((step) => (step.is === "unknown" ? "unknown" : step.value.isWell));
  };
  assert.deepEqual(await go(`127.0.0.1:${hub.port}`), [true, true, true, true]);
  // No name server is asked for a name that no name can be.
  const noName = `${"x".repeat(64)}.test`;
  assert.deepEqual(await go(`${noName}:${hub.port}`), [false, "unknown", "unknown", "unknown"]);
  // The stand-in's certificate is for 127.0.0.1 alone.
  assert.deepEqual(await go(`localhost:${hub.port}`), [true, true, true, false]);
  const unread = await goToHub(`127.0.0.1:${hub.port}`, { ca: undefined, env: {}, signal });
  assert.equal(unread.identity.is, "unknown");
  const { port } = hub;
  await hub.cut();
  assert.deepEqual(await go(`127.0.0.1:${port}`), [true, false, "unknown", "unknown"]);
});

test("what takes connections and speaks no TLS is no hub", async () => {
  await using server = createServer((socket) =>
    socket
      .on("error", () => {})
      .resume()
      .end("SSH-2.0-x\r\n"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  const port = typeof at === "object" && at !== null ? at.port : 0;
  const { tcp, tls } = await goToHub(`127.0.0.1:${port}`, { ca: undefined, env: {}, signal });
  assert.deepEqual(
    [tcp, tls].map((step) => step.is === "known" && step.value.isWell),
    [true, false],
  );
});

test("the engine tells of itself, and what carries our labels without a runtime is found", async () => {
  await using engine = await sharedEngine();
  const host = `unix://${engine.socketPath}`;
  assert.match(await engineVersion(host, signal), /^\d+\./);
  const info = await engineInfo(host, signal);
  assert.match(info.rootDir, /^\//);
  assert.notEqual(info.storageDriver, "");
  const labels = (runtime: string) => ({ "edge.instance": "doctor-test", "edge.runtime": runtime });
  const name = `doctor-test-${process.pid}`;
  await engine.docker.createVolume({ Name: name, Labels: labels("gone") });
  try {
    const found = await findLeftovers(host, [], signal);
    assert.ok(found.includes(`volume ${name}`), found.join());
    await assert.rejects(findLeftovers(host, [{ containerId: "elsewhere" }], signal), /not on the engine/);
  } finally {
    await engine.docker.getVolume(name).remove();
  }
});

test("state files and identity are found where the daemon keeps them", async () => {
  using folder = tempFolder();
  assert.deepEqual(await findSetAside([join(folder.path, "none")]), []);
  assert.equal(await readIdentity(folder.path), undefined);
  const aside = join(folder.path, "daemon.db.unreadable-2026-11-21T101500.000Z");
  writeFileSync(aside, "");
  writeFileSync(join(folder.path, "daemon.db"), "");
  assert.deepEqual(await findSetAside([folder.path]), [aside]);
  writeFileSync(join(folder.path, "identity.json"), "{}");
  await assert.rejects(readIdentity(folder.path), /does not hold an identity/);
});

test("hardware tells what it has to tell", async () => {
  using folder = tempFolder();
  const device = join(folder.path, "block/mmcblk0/device");
  mkdirSync(device, { recursive: true });
  writeFileSync(join(device, "type"), "MMC\n");
  writeFileSync(join(device, "life_time"), "0x02 0x09\n");
  writeFileSync(join(device, "pre_eol_info"), "0x02\n");
  assert.deepEqual(await lookAtFlash(join(folder.path, "block")), [
    { name: "mmcblk0", kind: "eMMC", lifeTime: 9, preEndOfLife: 2 },
  ]);
  const byId = join(folder.path, "serial/by-id");
  mkdirSync(byId, { recursive: true });
  symlinkSync("/dev/null", join(byId, "usb-a"));
  symlinkSync("/dev/no-such-port", join(byId, "usb-b"));
  const { ports, grabbers } = await lookAtSerial(folder.path, [{ pid: 1, name: "ModemManager", args: [] }]);
  assert.deepEqual([ports.map(({ isUsable }) => isUsable), grabbers], [[true, false], ["ModemManager"]]);
  assert.ok((await lookAtLogs(folder.path, signal)).bytes > 0);
  const { availableBytes, totalBytes } = await lookAtMemory();
  assert.ok(availableBytes > 0 && availableBytes <= totalBytes);
});

test("what kernel and iptables say is read as they mean it", async () => {
  assert.deepEqual(cpusIn("0-1,3"), [0, 1, 3]);
  assert.deepEqual(cpusIn(""), []);
  assert.equal(preemptionIn("#1 SMP PREEMPT_RT Debian 6.1"), "PREEMPT_RT");
  assert.equal(preemptionIn("#1 SMP Debian 6.1"), "without preemption");
  assert.notEqual((await lookAtPreemption()).release, "");
  assert.equal(typeof (await lookAtIsolation([])).cpus, "string");
  assert.equal(typeof (await isForwarding()), "boolean");
  assert.ok(Array.isArray(await missingCapabilities()));
  const rules =
    "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n";
  assert.deepEqual(filterIn(rules), {
    policy: "DROP",
    refusing: ["-A FORWARD -j REJECT --reject-with icmp-host-prohibited"],
  });
});

test("processes are found by how they were started, and not by what they speak of", async () => {
  assert.ok((await processes()).some(({ pid }) => pid === process.pid));
  const shell = { pid: 2, name: "sh", args: ["sh", "-c", "orchestrator netmon start"] };
  const netmon = { pid: 3, name: "node", args: ["node", "orchestrator.js", "netmon", "start"] };
  assert.equal(startedAs([shell, netmon], "netmon"), netmon);
  assert.equal(typeof (await proxyVariables({})), "object");
});
