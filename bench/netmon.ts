/** Netmon as it ships: how soon a watcher is told of what the kernel did, and what netmon costs to keep. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { NetMon, type WatchNetworkResponse } from "../gen/edge/v1/netmon_pb.ts";
import { tempFolder } from "../test/fixtures/folder.ts";
import { type Network, ownNetwork } from "../test/fixtures/network.ts";
import { until } from "../test/journeys/until.ts";
import { memoryOf } from "../tools/measure/memory.ts";
import { quantile } from "../tools/measure/spread.ts";
import { figure, type Section } from "./figures.ts";

const rounds = { addresses: 200, cables: 20 };
/** What a look leaves behind is over before the next change. */
const restMs = 100;
const settleMs = 1000;
/** One look without a notice is among it. */
const idleMs = 60_000;
const bundle = new URL("../dist/orchestrator.js", import.meta.url).pathname;
/** As the unit starts it. */
const nodeFlags = ["--max-semi-space-size=1", "--optimize-for-size", "--max-old-space-size=64"];

interface Times {
  told: number[];
  floor: number[];
}

export async function measure(): Promise<Section> {
  const address = await measureAddresses();
  await using on = await watched(settleMs);
  const { lost, back } = await measureCables(on);
  const idle = await measureIdle(on.pid);
  const aim = { aim: "20 ms" };
  const row = (what: string, { told, floor }: Times, share: number, aims = {}) =>
    figure(what, quantile(told, share), "ms", { base: quantile(floor, share), ...aims });
  return {
    title: "Netmon",
    how: `Links and addresses of a network namespace are changed by one long-lived \`ip -batch\`; measured from the moment when it is told to, until a watcher of netmon has the difference. The baseline is a line of \`ip -o monitor\` about the same change, in the same run. ${rounds.addresses} addresses without a settling time, ${rounds.cables} cables with the usual one of ${settleMs} ms, which is taken off where it says so. The kernel itself holds back the notice of a lost carrier for up to a second, so that one is measured from its notice. Idle: ${idleMs / 1000} s with one watcher.`,
    figures: [
      row("an address: p50", address, 0.5, aim),
      row("an address: p99", address, 0.99),
      figure("a carrier lost, after the kernel's notice: p50", quantile(lost, 0.5), "ms", aim),
      figure("a carrier lost, after the kernel's notice: max", quantile(lost, 1), "ms"),
      row("a carrier back, less settling: p50", back, 0.5, aim),
      row("a carrier back, less settling: max", back, 1),
      figure("netmon's resident memory", idle.residentMb, "MB"),
      figure("of it anonymous", idle.anonymousMb, "MB"),
      figure("resident memory of its ip monitor", idle.monitorMb, "MB"),
      figure("CPU when idle, with its programs", idle.cpuMsPerMinute, "ms/min"),
    ],
  };
}

async function measureAddresses(): Promise<Times> {
  await using on = await watched(0);
  const times: Times = { told: [], floor: [] };
  for (let round = 0; round < rounds.addresses; round++) {
    const address = `10.0.${round}.1`;
    const { told, floor } = await on.change(on.here, `address add ${address}/32 dev eth0`, {
      isTold: ({ difference }) => difference?.interfaces[0]?.addresses.includes(`${address}/32`) ?? false,
      isHeard: (line) => line.includes(`inet ${address}/32`),
    });
    times.told.push(told);
    times.floor.push(floor);
    await sleep(restMs);
  }
  return times;
}

async function measureCables(on: Watched): Promise<{ lost: number[]; back: Times }> {
  const lost: number[] = [];
  const back: Times = { told: [], floor: [] };
  const carrierIs = (carrier: boolean) => ({
    isTold: ({ difference }: WatchNetworkResponse) => difference?.interfaces[0]?.carrier === carrier,
    isHeard: (line: string) => line.includes("eth0") && line.includes("NO-CARRIER") !== carrier,
  });
  for (let round = 0; round < rounds.cables; round++) {
    const down = await on.change(on.there, "link set port0 down", carrierIs(false));
    lost.push(down.told - down.floor);
    await sleep(restMs);
    const up = await on.change(on.there, "link set port0 up", carrierIs(true));
    back.told.push(up.told - settleMs);
    back.floor.push(up.floor);
    await sleep(restMs);
  }
  return { lost, back };
}

async function measureIdle(pid: number) {
  await sleep(5_000);
  const before = await cpuMs(pid);
  await sleep(idleMs);
  const cpuMsPerMinute = (((await cpuMs(pid)) - before) * 60_000) / idleMs;
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ");
  const monitor = await memoryOf(Number(children[0]));
  return { ...(await memoryOf(pid)), monitorMb: monitor.residentMb, cpuMsPerMinute };
}

/** User and system time of a process and of its children that have ended. The kernel counts in hundredths of a second. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

type Watched = Awaited<ReturnType<typeof watched>>;

/** A network with one cable, netmon and a watcher of it, and a monitor of the kernel beside it. */
async function watched(settle: number) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(tempFolder());
  const [lan, network] = [opened.use(ownNetwork()), opened.use(ownNetwork())];
  network.ip(`link add eth0 type veth peer name port0 netns ${lan.name}`, "link set eth0 up");
  lan.ip("link set port0 up");
  const socket = join(folder.path, "netmon.sock");
  const program = (words: string[], env = {}) => {
    const child = spawn("ip", ["netns", "exec", network.name, ...words], {
      env: { PATH: process.env.PATH ?? "", ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    opened.defer(() => void child.kill());
    return child;
  };
  const netmon = program([process.execPath, ...nodeFlags, bundle, "netmon", "start"], {
    ORCHESTRATOR_NETMON_SOCKET: socket,
    ORCHESTRATOR_NETMON_SETTLE_MS: String(settle),
    ORCHESTRATOR_LOG_LEVEL: "warn",
  });
  const options = { createConnection: () => connect(socket) };
  const sessionManager = new Http2SessionManager("http://netmon", {}, options);
  opened.defer(() => sessionManager.abort());
  const client = createClient(NetMon, createGrpcTransport({ baseUrl: "http://netmon", sessionManager }));
  await until("netmon answers", async () => (await client.getNetwork({})).picture);

  let onTold = (_: WatchNetworkResponse) => {};
  let onHeard = (_: string) => {};
  const following = async () => {
    for await (const told of client.watchNetwork({})) onTold(told);
  };
  following().catch(() => {}); // It ends with the connection.
  const monitor = program(["ip", "-o", "monitor", "link", "address"]);
  monitor.stdout.on("data", (text: Buffer) => onHeard(text.toString()));
  await sleep(3 * settleMs); // Everything is listening, and the cable has settled.

  const [here, there] = [opened.use(changer(network)), opened.use(changer(lan))];
  const owned = opened.move();
  return {
    ...{ here, there, pid: netmon.pid ?? 0 },
    /** Makes one change, and tells after how many milliseconds netmon's watcher was told, and the monitor's reader. */
    async change(by: Changer, command: string, { isTold, isHeard }: Signs) {
      const from = performance.now();
      const told = new Promise<number>((resolve) => {
        onTold = (message) => isTold(message) && resolve(performance.now() - from);
      });
      const heard = new Promise<number>((resolve) => {
        onHeard = (line) => isHeard(line) && resolve(performance.now() - from);
      });
      by.carryOut(command);
      return { floor: await heard, told: await told };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Signs {
  isTold: (message: WatchNetworkResponse) => boolean;
  isHeard: (text: string) => boolean;
}

type Changer = ReturnType<typeof changer>;

/** Carries out commands of ip(8) one by one, without starting a program for each. */
function changer({ name }: Network) {
  const child = spawn("ip", ["-n", name, "-batch", "-"], { stdio: ["pipe", "ignore", "inherit"] });
  return {
    carryOut: (command: string) => void child.stdin.write(`${command}\n`),
    [Symbol.dispose]: () => void child.kill(),
  };
}
