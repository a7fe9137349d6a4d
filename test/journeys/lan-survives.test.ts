/** Programs die, servers are away, the power is cut: a runtime's place on the LAN outlives all of it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { AddressMode, VnicPhase } from "../../gen/edge/v1/vnics_pb.ts";
import { type Lan, openLan } from "../fixtures/lan.ts";
import { openPlant, type Plant } from "./plant.ts";
import { until } from "./until.ts";

const { UP, NO_ADDRESS } = VnicPhase;
const dhcp = { name: "lan0", parent: "eth0", addressMode: AddressMode.DHCP };
const ipOf = ({ addresses }: { addresses: string[] }) => addresses[0]?.split("/")[0] ?? "";

/** A node with one NIC on a LAN that gives leases. */
async function onLan(lan: Lan, env: Record<string, string> = {}): Promise<Plant> {
  const plant = await openPlant({ env });
  plant.nic("eth0", lan, { host: 2 });
  return plant;
}

/** Follows what happens to the addresses of a runtime, as its own kernel tells. */
async function addressNotices(plant: Plant, runtime: string) {
  const pid = await plant.pidOf(runtime);
  const monitor = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, "ip", "-o", "monitor", "address", "link"]);
  let said = "";
  monitor.stdout.on("data", (text: Buffer) => {
    said += text.toString();
  });
  return {
    said: () => said,
    [Symbol.dispose]: () => void monitor.kill(),
  };
}

test("netmon and the daemon die: no lease is lost, no address flushed, no runtime restarted", async () => {
  await using lan = await openLan();
  await lan.startDhcp({ range: [lan.at(100), lan.at(150)] });
  await using plant = await onLan(lan);
  await plant.create("plc", [dhcp]);
  const made = await plant.vnicIs("plc", UP);
  const started = await plant.startedAt("plc");
  const other = lan.host({ address: lan.at(20) });
  using notices = await addressNotices(plant, "plc");
  const index = await plant.linkOf("plc");

  for (const kill of [plant.netmon, plant.daemon]) {
    await kill.kill9();
    assert.ok(await other.ping(ipOf(made)), "it is reached while a program is dead");
    await (kill === plant.netmon ? plant.startNetmon() : plant.startDaemon());
    const again = await plant.vnicIs("plc", UP, made.addresses[0]);
    assert.equal(again.lease?.boundAt?.seconds, made.lease?.boundAt?.seconds, "it is the same lease");
  }
  assert.equal(await plant.linkOf("plc"), index);
  assert.equal(await plant.startedAt("plc"), started);
  assert.doesNotMatch(notices.said(), /Deleted/);
  assert.equal(lan.leases().length, 1);
});

test("a DHCP server that is dead at the start gives a lease when it is back, and one that is renumbered another", async () => {
  await using lan = await openLan();
  await using plant = await onLan(lan);
  const [made = assert.fail()] = await plant.create("plc", [dhcp]);
  assert.equal(made.phase, NO_ADDRESS);
  assert.match(made.reason, /DHCP/);
  await lan.startDhcp({ range: [lan.at(100), lan.at(110)] });
  const first = await plant.vnicIs("plc", UP);
  const started = await plant.startedAt("plc");

  // Renumbered: what was given before is refused (NAK) when it is asked for again.
  lan.network.ip("address add 10.78.0.1/24 dev switch");
  await lan.startDhcp({ range: ["10.78.0.100", "10.78.0.110"] });
  lan.network.ip("address delete 10.77.0.1/24 dev switch");
  plant.ip("link set eth0 down", "link set eth0 up");
  const second = await until("a lease of the other range", async () => {
    const vnic = await plant.vnic("plc");
    return vnic.phase === UP && vnic.addresses[0]?.startsWith("10.78.") && vnic;
  });
  assert.notDeepEqual(second.addresses, first.addresses);
  assert.ok(!(await plant.inside("plc", "ip", "address")).includes(first.addresses[0] ?? "-"));
  assert.equal(await plant.startedAt("plc"), started);
});

test("after a power cut with the daemon broken, the engine and netmon bring a runtime back to its LAN", async () => {
  await using lan = await openLan();
  await lan.startDhcp({ range: [lan.at(100), lan.at(150)] });
  await using plant = await onLan(lan, { ORCHESTRATOR_RUNTIMES_TRUST_AFTER_MS: "0" });
  await plant.create("plc", [dhcp]);
  const made = await plant.vnicIs("plc", UP);
  const other = lan.host({ address: lan.at(20) });
  await until("it answers", () => other.ping(ipOf(made)));
  const id = (await plant.runtimes.getRuntime({ name: "plc" })).runtime?.containerId ?? "";
  const container = plant.engine.docker.getContainer(id);
  await until(
    "the engine may start it",
    async () => (await container.inspect()).HostConfig.RestartPolicy?.Name === "unless-stopped",
  );

  await Promise.all([plant.daemon.kill9(), plant.netmon.kill9()]);
  await plant.engine.cutPower();
  // The kernel takes the network of a dead container down in its own time.
  await until("it answers no more", async () => !(await other.ping(ipOf(made))));

  // The daemon stays broken.
  await plant.startNetmon();
  await plant.engine.start();
  await until("it answers again", () => other.ping(ipOf(made)));
  assert.equal(other.macOf(ipOf(made)), made.mac);
  assert.equal(lan.leases().length, 1);
});
