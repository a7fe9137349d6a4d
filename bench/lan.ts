/** vNICs as they ship: how soon runtimes are reachable again when the host moves, and what attaching one costs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { AddressMode, VnicPhase } from "../gen/edge/v1/vnics_pb.ts";
import { type Lan, openLan } from "../test/fixtures/lan.ts";
import { openPlant, type Plant } from "../test/journeys/plant.ts";
import { until } from "../test/journeys/until.ts";
import { median } from "../tools/measure/spread.ts";
import { figure, type Section } from "./figures.ts";

const counts = [1, 5, 20];
const moves = 5;
const attachments = 15;
const starts = 20;
/** As it ships. It is taken off where it says so. */
const settleMs = 1000;
const bundle = new URL("../dist/orchestrator.js", import.meta.url).pathname;

export async function measure(): Promise<Section> {
  await using opened = new AsyncDisposableStack();
  const lans: Lan[] = [];
  for (const subnet of ["10.77.0.0/24", "10.88.0.0/24"]) {
    const lan = opened.use(await openLan({ subnet }));
    const hosts = Object.fromEntries(runtimes(20).map(({ mac, host }) => [mac, lan.at(host)]));
    await lan.startDhcp({ range: [lan.at(100), lan.at(150)], hosts });
    lans.push(lan);
  }
  const env = { ORCHESTRATOR_NETMON_SETTLE_MS: String(settleMs), ORCHESTRATOR_LOG_LEVEL: "warn" };
  const plant = opened.use(await openPlant({ env, entry: bundle }));
  const [first, second] = lans as [Lan, Lan]; // Two were made above.
  const cable = plant.nic("eth0", first, { host: 2 });

  const attach = await measureAttach(plant);
  const early = await measureStarts(plant);
  const figures = [
    figure("attach a vNIC with an address: p50", median(attach.again), "ms", { base: median(attach.docker) }),
    figure("the same for the first time, with its MAC and address asked for on the LAN", attach.first, "ms"),
    figure("starts at which the program found its LAN", early, `of ${starts}`),
  ];
  let here = first;
  let created = 0;
  for (const count of counts) {
    for (; created < count; created++) await createRuntime(plant, created);
    const [dhcp, floor]: number[][] = [[], []];
    for (let move = 0; move < moves; move++) {
      const to = here === first ? second : first;
      await using seen = await firstAnswers(
        to,
        runtimes(count).map(({ host }) => to.at(host)),
      );
      const from = performance.now();
      cable.moveTo(to);
      plant.readdress("eth0", to, 2);
      dhcp?.push((await seen.all) - from - settleMs);
      floor?.push(await measureFloor(plant, count));
      here = to;
    }
    figures.push(
      figure(`host moves until all of ${count} are reachable, less settling: p50`, median(dhcp ?? []), "ms", {
        base: median(floor ?? []),
        ...(count === 20 && { aim: "1500 ms" }),
      }),
    );
  }
  return {
    title: "vNICs",
    how: `The bundle in network namespaces, with Docker, dnsmasq and real MACVLAN links. A host moves by its cable being put into another switch and its own address being changed; measured from then until the last of its runtimes, all with DHCP, answers a ping from that LAN, less the settling time of ${settleMs} ms; median of ${moves} moves. The floor is removing, making and addressing as many links by ip(8), all at once. Attaching: netmon's Attach of a vNIC whose link is gone, until it is back with its address, against \`docker network connect\` of a macvlan network, ${attachments} times in turns. Starts: whether the LAN's link was there when the program's first line ran.`,
    figures,
  };
}

/** The runtimes, with MACs of their own so that a server can know their addresses. */
function runtimes(count: number) {
  return Array.from({ length: count }, (_, at) => ({
    name: `plc-${at}`,
    mac: `02:77:00:00:00:${(at + 16).toString(16)}`,
    host: 100 + at,
  }));
}

async function createRuntime(plant: Plant, at: number): Promise<void> {
  const { name, mac } = runtimes(at + 1)[at] ?? { name: "", mac: "" };
  await plant.create(name, [{ name: "lan0", parent: "eth0", addressMode: AddressMode.DHCP, mac }]);
  await plant.vnicIs(name, VnicPhase.UP);
}

/** Asks all addresses many times a second, and tells when the last of them answered for the first time. */
async function firstAnswers(lan: Lan, addresses: readonly string[]) {
  await using opened = new AsyncDisposableStack();
  const answers = addresses.map(async (address) => {
    const child = spawn("ip", ["netns", "exec", lan.name, "busybox", "ping", "-i", "0.05", address], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    opened.defer(() => void child.kill());
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes("bytes from")) return performance.now();
    }
    throw new Error(`${address} never answered`);
  });
  const all = Promise.all(answers).then((at) => Math.max(...at));
  all.catch(() => {}); // Whoever waits for it is told.
  const owned = opened.move();
  return { all, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** What the kernel alone takes for as many links, asked for by one program each, all at once. */
async function measureFloor(plant: Plant, count: number): Promise<number> {
  const names = runtimes(count).map((_, at) => `floor${at}`);
  const batch = async (lines: string[]) => {
    const child = spawn("nsenter", [`--net=/run/netns/${plant.engine.netns}`, "ip", "-batch", "-"], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.stdin.end(`${lines.join("\n")}\n`);
    await once(child, "exit");
  };
  const make = (name: string, at: number) => [
    `link add link eth0 name ${name} type macvlan mode private`,
    `address add 10.66.0.${at + 1}/24 dev ${name}`,
    `link set ${name} up`,
  ];
  const remove = (name: string) => [`link delete ${name}`];
  await Promise.all(names.map((name, at) => batch(make(name, at))));
  const from = performance.now();
  await Promise.all(names.map((name, at) => batch([...remove(name), ...make(name, at)])));
  const took = performance.now() - from;
  await Promise.all(names.map((name) => batch(remove(name))));
  return took;
}

/** In turns, so that a noisy moment hits both. */
async function measureAttach(plant: Plant): Promise<{ first: number; again: number[]; docker: number[] }> {
  const { engine, netmonClient } = plant;
  plant.ip("link add bench0 type veth peer name bench1", "link set bench0 up", "link set bench1 up");
  await plant.create("attached", []);
  const containerId = (await plant.runtimes.getRuntime({ name: "attached" })).runtime?.containerId ?? "";
  const network = await engine.docker.createNetwork({
    Name: "bench",
    Driver: "macvlan",
    Options: { parent: "bench0" },
    IPAM: { Config: [{ Subnet: "10.55.0.0/24" }] },
  });
  const vnic = {
    name: "lan0",
    parent: "eth0",
    addressMode: AddressMode.FOLLOW,
    host: 77,
    mac: "02:77:00:00:00:99",
  };
  const attachment = { owner: "bench/attached", containerId, runtime: "attached", vnics: [vnic] };
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const from = performance.now();
    await work();
    return performance.now() - from;
  };
  const first = await timed(() => netmonClient.attach({ attachment }));
  const [again, docker]: [number[], number[]] = [[], []];
  for (let round = 0; round < attachments; round++) {
    // Its MAC and its address are known to be its own now, and need not be asked for.
    await plant.inside("attached", "ip", "link", "delete", "lan0");
    again.push(await timed(() => netmonClient.attach({ attachment })));
    docker.push(await timed(() => network.connect({ Container: containerId })));
    await network.disconnect({ Container: containerId });
  }
  await netmonClient.detach({ owner: "bench/attached" });
  await network.remove();
  await plant.runtimes.deleteRuntime({ name: "attached" });
  plant.ip("link delete bench0");
  return { first, again, docker };
}

/** How often a program's first line finds its LAN there already. */
async function measureStarts(plant: Plant): Promise<number> {
  const env = [{ name: "DO", value: "[ -e /sys/class/net/lan0 ] && echo there || echo absent; sleep 3600" }];
  const vnic = { name: "lan0", parent: "eth0", addressMode: AddressMode.NONE };
  await plant.create("early", [vnic], { image: plant.script, env, stopGraceMs: 1 });
  const id = (await plant.runtimes.getRuntime({ name: "early" })).runtime?.containerId ?? "";
  for (let start = 1; start < starts; start++) await plant.runtimes.restartRuntime({ name: "early" });
  const said = await until("all starts have told", async () => {
    const log = await plant.engine.docker.getContainer(id).logs({ stdout: true });
    const lines = log.toString().match(/there|absent/g) ?? [];
    return lines.length === starts && lines;
  });
  await plant.runtimes.deleteRuntime({ name: "early" });
  return said.filter((line) => line === "there").length;
}
