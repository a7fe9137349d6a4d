import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import type { ConnectRouter } from "@connectrpc/connect";
import { NetMon } from "../../gen/edge/v1/netmon_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { failure } from "../../src/base/failure.ts";
import type { Facts, Tried } from "../../src/cli/doctor-facts.ts";
import { judge } from "../../src/cli/doctor-judge.ts";
import { toConnectError } from "../../src/wire/failures.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { openLan } from "../fixtures/lan.ts";
import { until } from "../journeys/until.ts";
import { machine } from "../netmon/machine.ts";
import { ask } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

const parents = [
  { name: "eth0", kind: "physical", carrier: true },
  { name: "wlan0", kind: "wireless", carrier: true },
];

/** A machine on which all is well. */
const sound: Facts = {
  engine: { is: "known", value: { version: "27.1", host: "unix:///var/run/docker.sock" } },
  daemon: { is: "known", value: { daemonVersion: "0.1.0", connected: true, hubAddress: "hub:7443" } },
  netmon: { is: "known", value: { where: "/run/netmon.sock", parents } },
  missingPrograms: [],
  links: { is: "known", value: { veth: undefined, macvlan: undefined, vlan: undefined, ipvlan: undefined } },
  nowMs: Date.UTC(2026, 10, 21),
  hubOffsetMs: 12,
  disk: { is: "known", value: { path: "/var/lib", freeBytes: 50 << 20, totalBytes: 1 } },
  missingCapabilities: [],
  hypervisor: undefined,
  parent: undefined,
};
const roomy: Facts = {
  ...sound,
  disk: { is: "known", value: { path: "/", freeBytes: 2 ** 33, totalBytes: 2 ** 34 } },
};

const tried = (answersOwnMac: boolean, answersOtherMac: boolean, name = "eth0"): Facts["parent"] => {
  const value: Tried = { gateway: "192.168.1.1", answersOwnMac, answersOtherMac };
  return { name, tried: { is: "known", value } };
};
const unknown = (problem: string) => ({ is: "unknown" as const, problem });

test("a machine on which all is well has nothing but good findings", () => {
  assert.deepEqual(
    judge({ ...roomy, parent: tried(true, true) }).filter(({ level }) => level !== "ok"),
    [],
  );
});

test("each trouble has its own finding, with what to do", () => {
  const guest = "VMware, Inc. VMware7,1";
  const cases: [Partial<Facts>, finding: string][] = [
    [{ engine: unknown("no engine answers") }, "fail engine: no engine answers -> start the engine"],
    [{ daemon: unknown("no daemon answers") }, "fail daemon: no daemon answers -> its log"],
    [
      { daemon: { is: "known", value: { daemonVersion: "1", connected: false, hubAddress: "hub:1" } } },
      "warn daemon: version 1 answers, not connected to the hub at hub:1 -> ",
    ],
    [{ netmon: unknown("no netmon answers") }, "fail netmon: no netmon answers -> without it"],
    [
      { missingPrograms: ["busybox udhcpc", "busybox arping"] },
      "warn programs: not found here: busybox udhcpc, busybox arping -> unless netmon runs from its image, which has them: apt-get install busybox-static",
    ],
    [
      { links: unknown("Operation not permitted") },
      "warn kernel: its links could not be tried: Operation not permitted -> run the doctor as root",
    ],
    [
      {
        links: { is: "known", value: { veth: undefined, macvlan: "no", vlan: undefined, ipvlan: undefined } },
      },
      "fail kernel macvlan: cannot be made: no -> load or build the module macvlan",
    ],
    [
      {
        links: { is: "known", value: { veth: undefined, macvlan: undefined, vlan: "no", ipvlan: undefined } },
      },
      "warn kernel vlan: cannot be made: no -> load or build the module 8021q",
    ],
    [{ nowMs: 0 }, "fail clock: it is 1970-01-01T00:00:00Z here, which cannot be -> "],
    [{ hubOffsetMs: 3_000 }, "warn clock: 3s behind the hub's -> "],
    [{ hubOffsetMs: -3_600_000 }, "fail clock: 1h ahead of the hub's -> "],
    [{ disk: sound.disk }, "fail disk: 50.0 MiB of 1 B are free at /var/lib -> free some"],
    [
      { missingCapabilities: ["SYS_RESOURCE"] },
      "warn rights: no program here can have SYS_RESOURCE -> runtimes run, without",
    ],
    [
      { missingCapabilities: ["NET_ADMIN"] },
      "fail rights: no program here can have NET_ADMIN -> this machine is itself a container",
    ],
    [
      { hypervisor: guest },
      `warn hypervisor: this machine is a guest of ${guest}, whose virtual switch may refuse the MACs of vNICs -> allow promiscuous mode`,
    ],
    [
      { hypervisor: "", parent: tried(true, false) },
      "fail parent eth0: the gateway 192.168.1.1 answers the interface's own MAC, and no other -> allow promiscuous mode",
    ],
    [
      { parent: tried(true, false) },
      "fail parent eth0: the gateway 192.168.1.1 answers the interface's own MAC, and no other -> switch port security",
    ],
    [{ parent: tried(false, false) }, "warn parent eth0: the gateway 192.168.1.1 does not answer at all -> "],
    [
      { parent: tried(true, true, "eth00") },
      "fail parent eth00: there is no such interface -> did you mean eth0?",
    ],
    [{ parent: tried(true, true, "wlan0") }, "warn parent wlan0: Wi-Fi takes frames of one MAC only"],
    [
      { parent: { name: "eth0", tried: unknown("eth0 has no carrier") } },
      "fail parent eth0: eth0 has no carrier -> then try it again",
    ],
  ];
  for (const [facts, finding] of cases) {
    const told = judge({ ...roomy, ...facts })
      .filter(({ level }) => level !== "ok")
      .map(({ level, check, says, next }) => `${level} ${check}: ${says} -> ${next}`);
    assert.ok(
      told.some((one) => one.startsWith(finding)),
      `${finding}\n${told.join("\n")}`,
    );
  }
});

test("the doctor asks engine, daemon and netmon, tries the kernel beside the machine's own network, and exits with 1 for a failure", async () => {
  using folder = tempFolder();
  const socket = join(folder.path, "daemon.sock");
  let other = true;
  const routes = (router: ConnectRouter): void => {
    router.service(Node, {
      getNode: () => ({
        ...{ daemonVersion: "0.1.0", connected: true, hubAddress: "hub:7443" },
        engine: { reachable: true, version: "27.1", host: "unix:///run/engine/docker.sock" },
        clock: { hubOffsetMs: 0n },
      }),
    });
    router.service(NetMon, {
      getNetwork: () => ({ picture: { interfaces: [{ name: "eth0", kind: "physical", carrier: true }] } }),
      probeParent: ({ parent }) => {
        if (parent !== "eth0") throw toConnectError(failure("not_found", `there is no interface ${parent}`));
        return { answersOwnMac: true, answersOtherMac: other, gateway: "192.0.2.1" };
      },
    });
  };
  await using _machine = await standInDaemon(socket, routes);
  const say = (...args: string[]) =>
    ask(["doctor", "--socket", socket, "--netmon-socket", socket, ...args], { folder: folder.path });
  const links = () => execFileSync("ip", ["-brief", "link"], { encoding: "utf8" }).split("\n").length;
  const before = links();
  const good = await say("--parent", "eth0", "--json");
  const { findings } = JSON.parse(good.out) as { findings: { check: string; level: string; says: string }[] };
  const levels = Object.fromEntries(findings.map(({ check, level }) => [check, level]));
  for (const check of ["engine", "daemon", "netmon", "kernel veth", "kernel macvlan", "parent eth0"]) {
    assert.equal(levels[check], "ok", good.out);
  }
  assert.equal(links(), before);
  other = false;
  const bad = await say("--parent", "eth0");
  assert.deepEqual([bad.code, bad.err], [1, ""]);
  assert.match(
    bad.out,
    /^fail {2}parent eth0 {5}the gateway 192\.0\.2\.1 answers the interface's own MAC, and no other\n {22}\S/m,
  );
});

test("a switch that takes one MAC only is found by asking the gateway, and nothing stays of it", async () => {
  await using lan = await openLan();
  await using on = await machine({ ORCHESTRATOR_NETMON_SETTLE_MS: "0" });
  lan.attach(on.network.name, "eth1", { mac: "02:00:00:00:00:01" });
  on.network.ip(`address add ${lan.at(2)}/24 dev eth1`, `route add default via ${lan.router} dev eth1`);
  using folder = tempFolder();
  const tryIt = async () => {
    const seen = await ask(["doctor", "--parent", "eth1", "--netmon-socket", on.socket], {
      folder: folder.path,
    });
    return /^(.*) {2}parent eth1 +(.*)$/m.exec(seen.out)?.slice(1).join(": ");
  };
  const answers = `the gateway ${lan.router} answers`;
  await until(
    "the gateway is seen and answers",
    async () => (await tryIt()) === `ok  : ${answers} a MAC that is not the interface's own`,
  );
  const before = on.network.exec("ip", "-brief", "link");
  // Port security, as a managed switch has it.
  const secure =
    "table bridge security { chain input { type filter hook input priority 0; ether saddr != 02:00:00:00:00:01 drop; }; }";
  lan.network.exec("nft", secure);
  assert.equal(await tryIt(), `fail: ${answers} the interface's own MAC, and no other`);
  assert.equal(on.network.exec("ip", "-brief", "link"), before);
});
