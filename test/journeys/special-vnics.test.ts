/** vNICs that are no plain MACVLAN links: a NIC given away whole, proxy ARP, and one that its host can talk to. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AddressMode, VnicMode, VnicPhase } from "../../gen/edge/v1/vnics_pb.ts";
import { type Host, type Lan, openLan } from "../fixtures/lan.ts";
import { openPlant, type Plant } from "./plant.ts";
import { until } from "./until.ts";

const { UP } = VnicPhase;

describe("vNICs of other kinds", () => {
  const opened = new AsyncDisposableStack();
  let lan: Lan;
  let plant: Plant;
  let other: Host;

  before(async () => {
    lan = opened.use(await openLan());
    await lan.startDhcp({ range: [lan.at(100), lan.at(150)] });
    plant = opened.use(await openPlant());
    plant.nic("eth0", lan, { host: 2 });
    other = lan.host({ address: lan.at(20) });
  });
  after(() => opened.disposeAsync());

  const fixed = (host: number) => ({
    ...{ name: "lan0", parent: "eth0", addressMode: AddressMode.STATIC },
    ...{ address: `${lan.at(host)}/24`, gateway: lan.router },
  });
  const linksOfNode = () =>
    plant
      .exec("ip", "-o", "link")
      .match(/^\d+: [^:@]+/gm)
      ?.sort() ?? [];
  const gone = (name: string) => plant.runtimes.deleteRuntime({ name });

  test("the host and a runtime talk, if they may, and nothing of it stays", async () => {
    const links = linksOfNode();
    await plant.create("shy", [fixed(30)]);
    await plant.create("open", [{ ...fixed(31), hostAccess: true }]);
    const answers = (address: string) => plant.exec("sh", "-c", `busybox ping -c1 -W1 ${address} || true`);
    await until("the open one answers its host", () => answers(lan.at(31)).includes(" 0% packet loss"));
    assert.ok(
      (await plant.inside("open", "busybox", "ping", "-c1", "-W1", lan.at(2))).includes(" 0% packet loss"),
    );
    assert.ok(!answers(lan.at(30)).includes(" 0% packet loss"), "MACVLAN forbids it to the other");
    assert.ok(answers(lan.at(20)).includes(" 0% packet loss"), "the LAN is reached as before");
    await Promise.all([gone("shy"), gone("open")]);
    await until("the shim is gone", () => linksOfNode().join() === links.join());
  });

  test("proxy ARP: reached through the host, which answers for it", async () => {
    const links = linksOfNode();
    await plant.create("proxied", [{ ...fixed(40), mode: VnicMode.PROXY_ARP }]);
    await plant.vnicIs("proxied", UP, `${lan.at(40)}/24`);
    await until("it answers", () => other.ping(lan.at(40)));
    const [eth0] = JSON.parse(plant.exec("ip", "-json", "link", "show", "eth0")) as { address: string }[];
    assert.equal(await other.arping(lan.at(40)), eth0?.address, "the host's MAC");
    await plant.runtimes.restartRuntime({ name: "proxied" });
    await until("it answers after a restart", () => other.ping(lan.at(40)));
    await gone("proxied");
    await until("nothing of it is left", () => linksOfNode().join() === links.join());
  });

  test("a NIC given away comes back from a stop, a crash and a delete, as it was", async () => {
    plant.nic("eth5", lan);
    plant.ip("address add 10.5.5.5/24 dev eth5");
    const state = () =>
      plant.exec("sh", "-c", "ip -o address show dev eth5 scope global 2>/dev/null || true");
    const vnic = { name: "cat0", parent: "eth5", mode: VnicMode.DEDICATED, addressMode: AddressMode.NONE };
    await assert.rejects(
      plant.create("thief", [{ ...vnic, parent: "eth0" }]),
      /default route/,
      "the host keeps what it needs",
    );
    await plant.create("ethercat", [vnic], { stopGraceMs: 100 });
    await until("the host has it no more", () => state() === "");
    await until("the runtime has it", async () =>
      (await plant.inside("ethercat", "ip", "-o", "link", "show", "cat0")).includes("cat0"),
    );

    await plant.runtimes.stopRuntime({ name: "ethercat" });
    await until("it is back after a stop", () => state().includes("10.5.5.5/24"));
    await plant.runtimes.startRuntime({ name: "ethercat" });
    await until("it is given away again", () => state() === "");

    const pid = await plant.pidOf("ethercat");
    process.kill(pid, "SIGKILL");
    await until(
      "the runtime has it again after a crash",
      async () =>
        (await plant.pidOf("ethercat")) !== pid &&
        (await plant.inside("ethercat", "ip", "-o", "link", "show", "cat0")).includes("cat0"),
    );
    await gone("ethercat");
    await until("it is back after a delete", () => state().includes("10.5.5.5/24"));
  });
});
