/** install.sh where systemd runs the machine: a real one, as process 1 of namespaces of its own. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { idleImage } from "../fixtures/images.ts";
import { type Lan, openLan } from "../fixtures/lan.ts";
import { until } from "../journeys/until.ts";
import { installer, type Machine, makeMachine } from "./machine.ts";
import { bootSystemd, type Systemd } from "./systemd.ts";

let machine: Machine;
let systemd: Systemd;
let lan: Lan;

before(async () => {
  machine = await makeMachine();
  lan = await openLan();
  lan.attach(machine.engine.netns, "nic0");
  for (const words of [`address add ${lan.at(2)}/24 dev nic0`, `route add default via ${lan.router}`]) {
    execFileSync("ip", ["-n", machine.engine.netns, ...words.split(" ")]);
  }
  systemd = await bootSystemd(machine);
  await machine.startHub();
});
after(async () => {
  await systemd?.[Symbol.asyncDispose]();
  await machine?.[Symbol.asyncDispose]();
  await lan?.[Symbol.asyncDispose]();
});

const units = ["orchestrator-netmon.service", "orchestrator-daemon.service"];

/** What this prints on the machine of systemd. */
async function told(...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await systemd.run(...command);
  assert.equal(code, 0, `${command.join(" ")}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** What an installation has in the usual folders. */
async function files(): Promise<string> {
  const { stdout } = await systemd.run(
    ...["find", "/etc", "/opt", "/usr/local/bin", "/var/lib", "-maxdepth", "5", "-name", "orchestrator*"],
  );
  return stdout;
}

describe("an installation where systemd runs", () => {
  let nodeId: string;

  it("makes units that systemd accepts, enables and runs; the hub sees the node connected", async () => {
    const found = await told("sh", installer, "--from", machine.bundle, "--token", await machine.token());
    assert.match(found, /enrolled as (\S+)[\s\S]*starting netmon and the daemon \(systemd\)[\s\S]*connected/);
    nodeId = await machine.connected(/enrolled as (\S+)/.exec(found)?.[1]);
    assert.equal(await told("systemctl", "is-enabled", ...units), "enabled\nenabled");
    assert.equal(await told("systemctl", "is-active", ...units), "active\nactive");
    assert.equal(await told("systemd-analyze", "verify", ...units), "");
  });

  it("works within what its units allow: the engine, its own folder, and of root's powers five for netmon", async () => {
    const image = await idleImage(machine.engine);
    await told("orchestrator", "runtime", "create", "line-1", "--image", image, "--local");
    // NET_ADMIN, NET_RAW, SYS_PTRACE, SYS_ADMIN and MKNOD.
    const powers = [[12, 13, 19, 21, 27].reduce((sum, bit) => sum + 2 ** bit, 0), 0];
    for (const [index, unit] of units.entries()) {
      const pid = await told("systemctl", "show", "--property", "MainPID", "--value", unit);
      const [, has = ""] = (await told("grep", "CapEff", `/proc/${pid}/status`)).split(/\s+/);
      assert.equal(Number.parseInt(has, 16), powers[index]);
    }
    const { stdout } = await systemd.run("orchestrator", "doctor", "--offline", "--json");
    const { findings } = JSON.parse(stdout) as { findings: { check: string; says: string }[] };
    assert.match(findings.find(({ check }) => check === "lending")?.says ?? "", /secrets can be lent/);
  });

  it("lets netmon make links, enter another network namespace, write its settings, and ask by ARP", async () => {
    // Containers are beyond the processes that this systemd sees; trying a parent takes the same rights but for SYS_PTRACE.
    const { stdout } = await systemd.run("orchestrator", "doctor", "--parent", "nic0", "--json");
    const { findings } = JSON.parse(stdout) as { findings: { check: string; level: string; says: string }[] };
    const told = findings.find(({ check }) => check === "parent nic0");
    assert.equal(told?.level, "ok", told?.says);
  });

  it("ends the same when it is run again", async () => {
    const identity = await told("cat", "/var/lib/orchestrator/daemon/identity.json");
    assert.match(await told("sh", installer, "--from", machine.bundle), /this node is enrolled already/);
    assert.equal(await told("cat", "/var/lib/orchestrator/daemon/identity.json"), identity);
    assert.equal(await told("systemctl", "is-active", ...units), "active\nactive");
    await machine.connected(nodeId);
  });

  it("is taken off, and nothing is left", async () => {
    assert.match(await told("orchestrator-uninstall", "--yes"), /removing runtime line-1/);
    assert.equal(await files(), "");
    // It forgets units of which nothing is left in a moment of its own.
    await until("systemd knows none of its units", async () => {
      const left = await told("systemctl", "list-units", "--all", "--plain", "--no-legend", "orchestrator*");
      return left === "" || assert.fail(left);
    });
    assert.deepEqual(await machine.engine.docker.listContainers({ all: true }), []);
    assert.deepEqual((await machine.engine.docker.listVolumes()).Volumes, []);
  });
});
