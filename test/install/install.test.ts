/** install.sh with containers, really run: on an engine of its own, offline but for a hub behind a proxy. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { idleImage } from "../fixtures/images.ts";
import { type Host, type Lan, openLan } from "../fixtures/lan.ts";
import { type Program, program } from "../journeys/program.ts";
import { until } from "../journeys/until.ts";
import { type Machine, makeMachine } from "./machine.ts";

const proxyPort = 3128;
/** With characters that shells and env files like to take for their own. */
const credentials = "u:p$a&b'c#";
const proxyUrl = `http://${credentials.replace("#", "%23")}@127.0.0.1:${proxyPort}`;

let machine: Machine;
let proxy: Program;
let image: string;
/** What the machine's NIC is plugged into, and another machine there. */
let lan: Lan;
let neighbour: Host;

before(async () => {
  machine = await makeMachine();
  lan = await openLan();
  await lan.startDhcp({ range: [lan.at(100), lan.at(150)], dnsServers: [lan.at(53)] });
  lan.attach(machine.engine.netns, "nic0");
  neighbour = lan.host({ address: lan.at(20) });
  image = await idleImage(machine.engine);
  proxy = program([String(proxyPort), credentials], {
    entry: new URL("../fixtures/proxy.ts", import.meta.url).pathname,
    env: {},
    under: ["ip", "netns", "exec", machine.engine.netns],
  });
  proxy.start();
  await machine.startHub();
});
after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await machine?.[Symbol.asyncDispose]();
  await lan?.[Symbol.asyncDispose]();
});

/** Runs this and asserts that it went well; what it said. */
async function said(running: ReturnType<Machine["run"]>): Promise<string> {
  const { code, stdout, stderr } = await running;
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

/** Runs a command of the installation, as an operator on the node does. */
function command(name: string, ...args: string[]): ReturnType<Machine["run"]> {
  return machine.run([join(machine.root, "bin", name), ...args]);
}

function fileOf(path: string): string {
  return readFileSync(join(machine.root, path), "utf8");
}

async function inspectRuntime() {
  const { docker } = machine.engine;
  const [found] = await docker.listContainers({ filters: { label: ["edge.runtime=line-1"] } });
  return await docker.getContainer(found?.Id ?? "no runtime").inspect();
}

/** The runtime's container: which one, and since when it runs. */
async function runtimeLife(): Promise<string> {
  const { Id: id, State: state } = await inspectRuntime();
  return `${id} ${state.Status} since ${state.StartedAt}`;
}

/** Waits until the runtime is reached on the LAN; its address there, and its MAC. */
async function reached(): Promise<string> {
  return await until("the runtime is reached on the LAN", async () => {
    const { runtime } = JSON.parse(
      await said(command("orchestrator", "runtime", "net", "line-1", "--local", "--json")),
    ) as {
      runtime: { vnics: { phase: string; addresses: string[]; mac: string }[] };
    };
    const [vnic] = runtime.vnics;
    if (vnic?.phase !== "VNIC_PHASE_UP") return false;
    const [host = ""] = vnic.addresses[0]?.split("/") ?? [];
    const isReached = (await neighbour.ping(host)) && (await neighbour.arping(host)) === vnic.mac;
    return isReached && `${host} ${vnic.mac}`;
  });
}

/** All that an installation may have made, sorted: files, and what the engine has. */
async function traces(): Promise<string[]> {
  const { docker } = machine.engine;
  const images = await docker.listImages({ all: true });
  return [
    ...machine.files(),
    ...(await docker.listContainers({ all: true })).flatMap(({ Names: names }) => names),
    ...images.flatMap(({ RepoTags: tags }) => tags ?? ["an image without a name"]),
    ...(await docker.listNetworks()).map(({ Name: name }) => name),
    ...(await docker.listVolumes()).Volumes.map(({ Name: name }) => name),
  ].sort();
}

describe("an installation with containers", () => {
  let nodeId: string;
  let token: string;

  it("enrols, and only then starts; the hub sees the node connected", async () => {
    token = await machine.token();
    const told = await said(
      machine.install(["--from", machine.bundle, "--token", token], {
        https_proxy: proxyUrl,
        no_proxy: "10.0.0.0/8",
      }),
    );
    assert.match(told, /enrolled as n-[\s\S]*starting netmon and the daemon \(container\)[\s\S]*done/);
    nodeId = await machine.connected(/enrolled as (\S+)/.exec(told)?.[1]);
  });

  it("goes through the proxy for both, enrolment and line, and tells the token to nobody", async () => {
    assert.match(proxy.output(), new RegExp(`^${machine.hubAddress}:7444\n`));
    assert.match(proxy.output(), new RegExp(`^${machine.hubAddress}:7443$`, "m"));
    for (const name of ["orchestrator-daemon", "orchestrator-netmon"]) {
      const told = await machine.engine.docker.getContainer(name).inspect();
      assert.ok(told.Config.Env.includes(`https_proxy=${proxyUrl}`));
      assert.ok(told.Config.Env.includes("no_proxy=10.0.0.0/8"));
      assert.ok(!JSON.stringify(told).includes(token));
    }
    assert.ok(!fileOf("etc/daemon.env").includes(token));
  });

  it("is healthy without its hub, and finds an engine that restarted", async () => {
    await machine.hub.stop();
    await machine.engine.kill9();
    await machine.engine.start();
    const container = machine.engine.docker.getContainer("orchestrator-daemon");
    const { Config: config } = await container.inspect();
    const [, check = ""] = config.Healthcheck?.Test ?? [];
    const status = await until("the daemon has its engine again", async () => {
      const told = await said(machine.run(["docker", "exec", "orchestrator-daemon", ...check.split(" ")]));
      const node = JSON.parse(told) as { connected?: boolean; engine?: { reachable?: boolean } };
      return node.engine?.reachable === true && node;
    });
    assert.notEqual(status.connected, true);
    await machine.startHub();
    await machine.connected(nodeId);
  });

  it("makes a runtime a device on a LAN, with a lease of its own", async () => {
    const vnic = ["--vnic", "lan0,parent=nic0,dhcp,ipv6=slaac"];
    await said(command("orchestrator", "runtime", "create", "line-1", "--image", image, "--local", ...vnic));
    assert.match(await reached(), /^10\.77\.0\.1[0-5]\d /);
    const { ResolvConfPath: nameServers } = await inspectRuntime();
    assert.equal(readFileSync(nameServers, "utf8"), `nameserver ${lan.at(53)}\n`);
  });

  it("keeps identity, settings and runtimes when it is run again, and ends the same", async () => {
    const added = "ORCHESTRATOR_LOG_LEVEL=debug\n";
    writeFileSync(join(machine.root, "etc/daemon.env"), added, { flag: "a" });
    const look = async () => ({
      identity: fileOf("var/daemon/identity.json"),
      runtime: await runtimeLife(),
      onLan: await reached(),
    });
    const before = { kept: await look(), traces: await traces() };
    assert.match(await said(machine.install(["--from", machine.bundle])), /this node is enrolled already/);
    assert.deepEqual(await look(), before.kept);
    assert.ok(fileOf("etc/daemon.env").includes(added));
    assert.ok(fileOf("etc/daemon.env").includes(`https_proxy=${proxyUrl}\n`));
    await machine.connected(nodeId);
    const versions = /opt\/versions\/[^/]+/;
    const withoutVersion = (all: string[]) =>
      all.map((one) => one.replace(versions, "opt/versions/one")).sort();
    assert.deepEqual(withoutVersion(await traces()), withoutVersion(before.traces));
  });

  it("is taken off with its data kept: runtimes go on, and it comes back as the same node", async () => {
    const before = await runtimeLife();
    await said(command("orchestrator-uninstall", "--keep-data", "--yes"));
    assert.deepEqual(
      machine.files().filter((path) => !/^(var|etc)/.test(path)),
      ["bin", "units"],
    );
    assert.equal((await machine.engine.docker.listContainers({ all: true })).length, 1);
    await said(machine.install(["--from", machine.bundle]));
    await machine.connected(nodeId);
    assert.equal(await runtimeLife(), before);
  });

  it("asks before it takes anything away", async () => {
    const before = await traces();
    const { code, stderr } = await machine.install(["--uninstall"]);
    assert.equal(code, 1);
    assert.match(stderr, /this removes the programs, every runtime .*Run it again with --yes/);
    assert.deepEqual(await traces(), before);
  });

  it("is taken off, and nothing is left but what was there before", async () => {
    const told = await said(command("orchestrator-uninstall", "--yes"));
    assert.match(told, new RegExp(`removing runtime line-1[\\s\\S]*orchestrator node remove ${nodeId}`));
    await until("its lease is given back", () => lan.leases().length === 0);
    assert.deepEqual(await traces(), ["bin", "units", "bridge", "host", "none", image].sort());
  });
});
