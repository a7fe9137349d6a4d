import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import type { ConnectRouter } from "@connectrpc/connect";
import { NetMon } from "../../gen/edge/v1/netmon_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { toConnectError } from "../../src/wire/failures.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { openLan } from "../fixtures/lan.ts";
import { until } from "../journeys/until.ts";
import { machine } from "../netmon/machine.ts";
import { ask } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

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
    router.service(Runtimes, { listRuntimes: () => ({ runtimes: [] }) });
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
    ask(["doctor", "--offline", "--socket", socket, "--netmon-socket", socket, ...args], {
      folder: folder.path,
    });
  const links = () => execFileSync("ip", ["-brief", "link"], { encoding: "utf8" }).split("\n").length;
  const before = links();
  // A doctor is done in some seconds: on a busy machine it does not know everything by then, and says so.
  await until("all is well", async () => {
    const good = await say("--parent", "eth0", "--json");
    const { findings } = JSON.parse(good.out) as { findings: { check: string; level: string }[] };
    const levels = Object.fromEntries(findings.map(({ check, level }) => [check, level]));
    for (const check of ["engine", "daemon", "netmon", "kernel veth", "kernel macvlan", "parent eth0"]) {
      assert.equal(levels[check], "ok", good.out);
    }
    return true;
  });
  assert.equal(links(), before);
  other = false;
  const told =
    /^fail {5}parent eth0 {5}the gateway 192\.0\.2\.1 answers the interface's own MAC, and no other\n {25}\S.*\n {25}-> \S/m;
  const bad = await until("the parent is not", async () => {
    const seen = await say("--parent", "eth0");
    return told.test(seen.out) ? seen : assert.fail(seen.out);
  });
  assert.deepEqual([bad.code, bad.err], [1, ""]);
});

test("a switch that takes one MAC only is found by asking the gateway, and nothing stays of it", async () => {
  await using lan = await openLan();
  await using on = await machine({ ORCHESTRATOR_NETMON_SETTLE_MS: "0" });
  lan.attach(on.network.name, "eth1", { mac: "02:00:00:00:00:01" });
  on.network.ip(`address add ${lan.at(2)}/24 dev eth1`, `route add default via ${lan.router} dev eth1`);
  using folder = tempFolder();
  const tryIt = async () => {
    const words = ["doctor", "--parent", "eth1", "--netmon-socket", on.socket];
    const seen = await ask(words, { folder: folder.path });
    return /^(.*) {2}parent eth1 +(.*)$/m.exec(seen.out)?.slice(1).join(": ");
  };
  const answers = `the gateway ${lan.router} answers`;
  await until(
    "the gateway is seen and answers",
    async () => (await tryIt()) === `ok     : ${answers} a MAC that is not the interface's own`,
  );
  const before = on.network.exec("ip", "-brief", "link");
  // Port security, as a managed switch has it.
  const secure =
    "table bridge security { chain input { type filter hook input priority 0; ether saddr != 02:00:00:00:00:01 drop; }; }";
  lan.network.exec("nft", secure);
  await until(
    "it answers one MAC only",
    async () => (await tryIt()) === `fail   : ${answers} the interface's own MAC, and no other`,
  );
  assert.equal(on.network.exec("ip", "-brief", "link"), before);
});
