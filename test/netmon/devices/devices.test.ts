import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DeviceChangeKind as Kind, DevicePhase as Phase } from "../../../gen/edge/v1/devices_pb.ts";
import type { AttachmentEvent } from "../../../gen/edge/v1/netmon_pb.ts";
import { groupFolders } from "../../../src/netmon/devices/rights.ts";
import { findOwners } from "../../../src/netmon/namespaces/index.ts";
import { type Dev, ownDev } from "../../fixtures/dev.ts";
import { ground } from "../attachments/ground.ts";

/** Of no container by itself: fuse, whose node opens for whoever has the right to. */
const fuse = "c 10:229";
const zero = "c 1:5";
const byId = "/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0";

test("a device comes and goes with its plug, the container stays, and the right is never broader than asked", async () => {
  using dev = ownDev();
  await using on = await plant(dev);
  const plc = await on.container("plc");
  const wish = { nodePath: byId, path: "/dev/ttyPLC" };
  await on.attach("node/plc", plc.id, wish);
  await plc.start();
  await on.is("node/plc", Phase.ABSENT);
  const life = await plc.life();
  const group = groupOf(plc.id);
  const before = rules(group);
  const began = await on.sequence();
  const opens = "exec 3</dev/ttyPLC";
  // Who may make nodes, as root in a container may, gains nothing by it.
  const tries = `(${opens}); mknod /dev/mine c 10 229; (exec 3</dev/mine); rm /dev/mine`;

  for (let turn = 1; turn <= 20; turn++) {
    // The number that an adapter gets is not always the one that it had.
    const node = `ttyUSB${turn % 3}`;
    dev.node(node, fuse);
    dev.link(byId.slice(5), `../../${node}`);
    const told = await on.is("node/plc", Phase.PRESENT);
    assert.deepEqual([told.realPath, told.number], [`/dev/${node}`, fuse]);
    assert.deepEqual(rules(group), [...before, "c 10:229 rw"].sort());
    if (turn % 5 === 1) {
      assert.deepEqual(await plc.exec("sh", "-c", opens), { output: "", code: 0 });
      assert.equal((await plc.exec("stat", "-c", "%a %U %t:%T", "/dev/ttyPLC")).output, "666 root a:e5\n");
    }
    dev.remove(node);
    if (turn % 2) dev.remove(byId.slice(5));
    await on.is("node/plc", Phase.ABSENT);
    assert.deepEqual(rules(group), before);
    if (turn % 5 === 1)
      assert.match((await plc.exec("sh", "-c", tries)).output, /no such file.*not permitted/s);
    if (turn % 2 === 0) dev.remove(byId.slice(5));
  }
  assert.equal(await plc.life(), life);
  const happened = kindsOf(await on.eventsAfter(began));
  assert.deepEqual(
    happened,
    Array.from({ length: 40 }, (_, at) => (at % 2 ? "UNPLUGGED" : "PLUGGED")),
  );
});

test("netmon's end, a restart of the container and a power cut change nothing of what it has", async () => {
  using dev = ownDev();
  await using on = await plant(dev);
  dev.node("ttyS0", zero);
  dev.node("fuse", fuse);
  const plc = await on.container("plc");
  await plc.start();
  const owner = "node/plc";
  const [serial, other] = await on.attach(
    owner,
    plc.id,
    { nodePath: "/dev/ttyS0" },
    { nodePath: "/dev/fuse", path: "/dev/deep/er/fuse", readOnly: true },
  );
  assert.deepEqual([serial?.phase, other?.phase], [Phase.PRESENT, Phase.PRESENT]);
  const reads = async () => (await plc.exec("sh", "-c", "head -c 2 /dev/ttyS0 | od -An -tx1")).output;
  assert.equal(await reads(), " 00 00\n");
  const group = groupOf(plc.id);
  assert.ok(rules(group).includes("c 10:229 r"));
  assert.equal((await plc.exec("sh", "-c", "exec 3</dev/deep/er/fuse")).code, 0);
  assert.match((await plc.exec("sh", "-c", "exec 3>/dev/deep/er/fuse")).output, /not permitted/);

  assert.equal((await plc.exec("stat", "-c", "%a", "/dev/deep", "/dev/deep/er")).output, "755\n755\n");

  const began = await on.sequence();
  // An engine that sets limits anew leaves rights alone.
  await on.engine.docker.getContainer(plc.id).update({ CpuShares: 512 });
  assert.ok(rules(group).includes("c 10:229 r"));
  await on.netmon.kill9();
  assert.equal(await reads(), " 00 00\n");
  await on.startNetmon();
  await on.is(owner, Phase.PRESENT);
  assert.deepEqual(await on.eventsAfter(began), []);

  // Pulled out while netmon is away; and what a container is given, it has again in its next life.
  await on.netmon.stop();
  dev.remove("fuse");
  await on.startNetmon();
  await on.is(owner, Phase.ABSENT, "/dev/fuse");
  assert.ok(!rules(group).includes("c 10:229 r"));
  assert.equal((await plc.exec("ls", "/dev/deep")).code, 1);
  dev.node("fuse", fuse);
  await on.is(owner, Phase.PRESENT, "/dev/fuse");
  await on.engine.cutPower();
  await on.engine.start();
  await plc.start();
  await on.until(
    "both are there again",
    async () => (await plc.exec("ls", "/dev/ttyS0", "/dev/deep/er/fuse")).code === 0,
  );
  assert.equal(await reads(), " 00 00\n");

  // Two names of one device: without the one, the other still has the right.
  dev.link("alias", "fuse");
  const names = [{ nodePath: "/dev/fuse", path: "/dev/deep/er/fuse" }, { nodePath: "/dev/alias" }];
  await on.attach(owner, plc.id, ...names);
  const [, alias] = names;
  await on.attach(owner, plc.id, ...(alias ? [alias] : []));
  assert.equal((await plc.exec("sh", "-c", "exec 3<>/dev/alias")).code, 0);
  await on.attach(
    owner,
    plc.id,
    { nodePath: "/dev/ttyS0" },
    { nodePath: "/dev/fuse", path: "/dev/deep/er/fuse", readOnly: true },
  );

  // What is wished no more is taken from the container that goes on, and with the attachment all of it.
  const inside = await on.attach(owner, plc.id, { nodePath: "/dev/fuse", path: "/dev/deep/er/fuse" });
  assert.equal(inside[0]?.phase, Phase.PRESENT);
  assert.equal((await plc.exec("ls", "/dev/ttyS0")).code, 1);
  assert.ok(rules(groupOf(plc.id)).includes("c 10:229 rw"));
  await on.client.detach({ owner, requestId: "bye" });
  assert.equal((await plc.exec("ls", "/dev/deep")).code, 1);
  assert.ok(!rules(groupOf(plc.id)).some((rule) => rule.startsWith("c 10:229")));
  const happened = kindsOf(await on.eventsAfter(began));
  const [away, nextLife] = [
    ["UNPLUGGED", "PLUGGED"],
    ["PLUGGED", "PLUGGED"],
  ];
  const otherWishes = ["PLUGGED", "UNPLUGGED", "UNPLUGGED", "PLUGGED", "PLUGGED", "UNPLUGGED", "UNPLUGGED"];
  assert.deepEqual(happened, [away, nextLife, otherWishes, "UNPLUGGED"].flat());
});

test("what must not be given is refused with the reason, and what the container has of its own stays", async () => {
  using dev = ownDev();
  await using on = await plant(dev);
  const shadow = readFileSync("/etc/shadow", "utf8");
  dev.link("ttyS0", "/etc/shadow");
  dev.link("ttyS1", "../../etc/shadow");
  dev.link("ttyS2", "ttyS3");
  dev.link("ttyS3", "ttyS2");
  dev.node("ttyS4", "c 1:1");
  dev.node("ttyS5", "b 7:0");
  dev.node("ttyS6", "c 136:0");
  dev.node("ttyS7/below", zero);
  dev.node("ttyS8", zero);
  dev.node("ttyS9", zero);
  const plc = await on.container("plc");
  await plc.start();
  const { output } = await plc.exec(
    "sh",
    "-c",
    "echo mine >/dev/mine && ln -s /data /dev/away && mkdir /data",
  );
  assert.equal(output, "");
  const names = Array.from({ length: 8 }, (_, at) => ({ nodePath: `/dev/ttyS${at}` }));
  const told = await on.attach(
    "node/plc",
    plc.id,
    ...names,
    { nodePath: "/dev/ttyS8", path: "/dev/mine" },
    { nodePath: "/dev/ttyS9", path: "/dev/away/ttyS9" },
  );
  assert.deepEqual(
    told.map(({ phase, reason }) => `${phase} ${reason}`),
    [
      "/dev/ttyS0 leads to /etc/shadow, which is not below /dev",
      "/dev/ttyS1 leads to /, which is not below /dev",
      "/dev/ttyS2 leads in a circle",
      "/dev/ttyS3 leads in a circle",
      "/dev/ttyS4 is given to no runtime: it is the memory of the node",
      "/dev/ttyS5 is given to no runtime: it is a disk, or another device of blocks",
      "/dev/ttyS6 is given to no runtime: it is a pseudo-terminal, which the kernel opens nowhere but in /dev/pts of the node",
      "/dev/ttyS7 leads to a folder",
      "the container has a file of its own at /dev/mine",
      "the way there in the container's /dev is no folder",
    ].map((reason) => `${Phase.REFUSED} ${reason}`),
  );
  assert.equal((await plc.exec("cat", "/dev/mine")).output, "mine\n");
  assert.equal((await plc.exec("sh", "-c", "ls /dev | grep tty")).output, "tty\n");
  assert.equal((await plc.exec("ls", "-A", "/data")).output, "");
  assert.equal(readFileSync("/etc/shadow", "utf8"), shadow);

  // One at a time, unless both share it; by whatever name.
  const twin = await on.container("twin");
  await twin.start();
  dev.link("ttyAMA0", "fuse");
  dev.node("fuse", fuse);
  const [first] = await on.attach("node/plc", plc.id, { nodePath: "/dev/fuse", path: "/dev/one" });
  const [second] = await on.attach("node/twin", twin.id, { nodePath: "/dev/ttyAMA0" });
  assert.deepEqual([first?.phase, second?.reason], [Phase.PRESENT, "/dev/fuse is used by runtime plc"]);
  await on.client.detach({ owner: "node/plc" });
  await on.is("node/twin", Phase.PRESENT);
  await on.attach("node/twin", twin.id, { nodePath: "/dev/ttyAMA0", shared: true });
  const [both] = await on.attach("node/plc", plc.id, {
    nodePath: "/dev/fuse",
    path: "/dev/one",
    shared: true,
  });
  assert.equal(both?.phase, Phase.PRESENT);
  await assert.rejects(
    on.attach("node/plc", plc.id, { nodePath: "/dev/../etc/shadow" }),
    /node_path: ".*" has a part \. or \.\./,
  );
  await assert.rejects(
    on.attach("node/plc", plc.id, { nodePath: "/dev/fuse", path: "/dev/null" }),
    /engine's own/,
  );
});

/** An engine, netmon, and a /dev for it. */
async function plant(dev: Dev) {
  const on = await ground({ ORCHESTRATOR_NETMON_DEV_DIR: dev.path }, unitRights());
  const attach = async (owner: string, containerId: string, ...devices: DeviceInit[]) => {
    const runtime = owner.split("/").at(-1) ?? owner;
    const request = { requestId: "test", attachment: { owner, containerId, runtime, devices } };
    return (await on.client.attach(request)).devices;
  };
  const statusOf = async (owner: string, nodePath?: string) => {
    for await (const { attachments } of on.client.watchAttachments({})) {
      const devices = attachments.find((one) => one.owner === owner)?.devices;
      return devices?.find((one) => nodePath === undefined || one.nodePath === nodePath);
    }
    return undefined;
  };
  const is = (owner: string, phase: Phase, nodePath?: string) =>
    on.until(`a device of ${owner} in phase ${phase}`, async () => {
      const status = await statusOf(owner, nodePath);
      if (status?.phase === phase) return status;
      throw new Error(`it is in phase ${status?.phase}: ${status?.reason}`);
    });
  return { ...on, attach, is, [Symbol.asyncDispose]: () => on[Symbol.asyncDispose]() };
}

interface DeviceInit {
  nodePath: string;
  path?: string;
  readOnly?: boolean;
  shared?: boolean;
}

function kindsOf(events: readonly AttachmentEvent[]): (string | undefined)[] {
  const names = Object.entries(Kind).map(([name, kind]) => [kind, name] as const);
  const named = new Map<number, string>(names);
  return events.map(({ device }) => named.get(device?.kind ?? 0));
}

/** Where the kernel lists what a container may use: in version 1, in which alone it does. */
function groupOf(containerId: string): string {
  const { pid } = findOwners(new Set([containerId])).get(containerId) ?? assert.fail();
  const read = (path: string) => readFileSync(path, "utf8");
  const { folders } = groupFolders(read(`/proc/${pid}/cgroup`), read("/proc/self/mountinfo"), containerId);
  return folders[0] ?? assert.fail();
}

/** Netmon with no more rights than its unit of systemd gives it. */
function unitRights(): string[] {
  const unit = readFileSync("install/systemd/orchestrator-netmon.service", "utf8");
  const [, names = ""] = /^CapabilityBoundingSet=(.*)$/m.exec(unit) ?? [];
  const kept = names.split(" ").map((name) => `+${name.replace("CAP_", "").toLowerCase()}`);
  const [, mask = ""] = /^UMask=(\d+)$/m.exec(unit) ?? [];
  const masked = ["sh", "-c", `umask ${mask}; exec "$@"`, "sh"];
  return ["setpriv", "--no-new-privs", `--bounding-set=-all,${kept.join(",")}`, ...masked];
}

/** What the container may use, as the kernel says. */
function rules(folder: string): string[] {
  return readFileSync(`${folder}/devices.list`, "utf8").trim().split("\n").sort();
}
