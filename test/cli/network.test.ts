import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { NetworkPictureSchema } from "../../gen/edge/v1/netmon_pb.ts";
import { NetworkInterfaceSchema } from "../../gen/edge/v1/node_pb.ts";
import { changesOf, tableOfRoutes } from "../../src/cli/network-tell.ts";
import { openTerminal } from "../../src/cli/terminal.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { until } from "../journeys/until.ts";
import { machine } from "../netmon/machine.ts";
import { ask } from "./ask.ts";

/** `orchestrator network watch` in the background, and what it has written so far. */
function watching(args: string[], env: Record<string, string>, folder: string) {
  const stop = new AbortController();
  const seen = { out: "", err: "" };
  const into = (stream: "out" | "err") => (text: string) => {
    seen[stream] += text;
  };
  const terminal = { out: into("out"), err: into("err") };
  const running = ask(["network", "watch", ...args], { env, folder, signal: stop.signal, terminal });
  return {
    seen,
    running,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

test("network watch shows people a table and then sentences, and programs one message a line", async () => {
  await using on = await machine({ ORCHESTRATOR_NETMON_SETTLE_MS: "0" });
  using folder = tempFolder();
  const env = { ORCHESTRATOR_NETMON_SOCKET: on.socket };
  await using people = watching([], env, folder.path);
  await using programs = watching(["--json", "--netmon-socket", on.socket], {}, folder.path);
  await until("the picture", () => people.seen.out.includes("name servers: ") && programs.seen.out !== "");
  assert.match(people.seen.out, /^NAME {2}KIND +STATE +MAC +MTU +SPEED +ADDRESSES +GATEWAYS\neth0 +veth +/);
  on.network.ip("address add 192.0.2.10/24 dev eth0", "route add default via 192.0.2.1");
  await until("the gateway", () => /Z {2}eth0: .*gateways 192\.0\.2\.1/.test(people.seen.out));
  assert.match(people.seen.out, /eth0: .*\+192\.0\.2\.10\/24/);
  on.lan.ip("link set port0 down");
  await until("the loss", () => people.seen.out.includes("eth0: carrier lost"));

  const told = () => programs.seen.out.trim().split("\n");
  await until("the same for programs", () => told().at(-1)?.includes('"carrier":false'));
  const [first, ...others] = told().map((line) => JSON.parse(line));
  assert.deepEqual(first.changed, ["eth0"]);
  assert.equal(first.picture.interfaces[0].name, "eth0");
  assert.ok(
    others.every(({ difference }) => Number(difference.generation) > Number(first.picture.generation)),
  );

  // Another netmon in its place: what was missed is told.
  await on.netmon.kill9();
  await until("that it is gone", () => people.seen.err === "netmon is gone, waiting for it ...\n");
  on.network.ip("link del eth0");
  on.netmon.start();
  await until("what was missed", () => people.seen.out.includes("eth0: is gone"));

  const once = await ask(["network", "watch", "--no-follow"], { env, folder: folder.path });
  assert.equal(once.code, 0);
  assert.match(once.out, /^no network interfaces\nname servers: /);
});

test("without a netmon it says how to start one", async () => {
  using folder = tempFolder();
  const socket = join(folder.path, "netmon.sock");
  const { code, err } = await ask(["network", "watch", "--netmon-socket", "netmon.sock"], {
    folder: folder.path,
  });
  assert.equal(code, 7);
  assert.match(
    err,
    new RegExp(`no netmon answers at ${socket}: start it with \`orchestrator netmon start\``),
  );
});

test("a change is told in words for each interface that it is about", () => {
  const usual = { kind: "physical", operstate: "up", carrier: true, mtu: 1500, mac: "02:00:00:00:00:01" };
  const eth = (of: object) => create(NetworkInterfaceSchema, { ...usual, index: 2, ...of });
  const picture = (dnsServers: string[], ...interfaces: object[]) =>
    create(NetworkPictureSchema, { dnsServers, interfaces: interfaces.map(eth) });
  const before = picture(
    [],
    { name: "eth0", addresses: ["192.0.2.1/24"], gateways: ["192.0.2.254"] },
    { name: "eth1", routes: [{ destination: "10.0.0.0/8", gateway: "192.0.2.9", metric: 50 }] },
    { name: "eth2" },
    { name: "usb0" },
  );
  const after = picture(
    ["192.0.2.53"],
    { name: "eth0", addresses: ["192.0.2.7/24"] },
    {
      name: "eth1",
      index: 9,
      mtu: 1400,
      speedMbps: 1000,
      routes: [{ destination: "10.0.0.0/8", gateway: "" }],
    },
    { name: "eth2" },
    { name: "wlan0", kind: "wireless", carrier: false },
  );
  assert.deepEqual(changesOf(before, before), []);
  assert.deepEqual(changesOf(before, after), [
    "eth0: -192.0.2.1/24; +192.0.2.7/24; gateways none",
    "eth1: is another one, index 9; MTU 1400; 1000 Mbit/s; -route 10.0.0.0/8 via 192.0.2.9, metric 50; +route 10.0.0.0/8 on the link",
    "usb0: is gone",
    "wlan0: came, wireless, no carrier",
    "name servers: 192.0.2.53",
  ]);
});

test("routes stand in a table of their own, unless none is known", () => {
  const terminal = openTerminal(process, { TERM: "dumb" });
  const routes = [
    { destination: "0.0.0.0/0", gateway: "192.0.2.1", metric: 100 },
    { destination: "192.0.2.0/24" },
  ];
  const eth0 = create(NetworkInterfaceSchema, { name: "eth0", routes });
  assert.equal(tableOfRoutes([{ ...eth0, routes: [] }], terminal), "");
  assert.equal(
    tableOfRoutes([eth0], { ...terminal, columns: undefined }),
    `
ROUTE         VIA          INTERFACE  METRIC
0.0.0.0/0     192.0.2.1    eth0       100
192.0.2.0/24  on the link  eth0       0
`,
  );
});
