import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { kindOfDriver, type LinkMarks, ownInterfaces, readHardware } from "../../src/wire/interfaces.ts";
import { tempFolder } from "../fixtures/folder.ts";

const link = (name: string, index: number, of: Partial<LinkMarks> = {}): LinkMarks => ({
  ...{ name, index, kind: "physical", isLoopback: false, masterIndex: 0 },
  ...{ hasParentHere: false, carriesDefaultRoute: false },
  ...of,
});
const own = (...links: LinkMarks[]) => ownInterfaces(links).map(({ name }) => name);

test("hardware is the machine's own, ordered by name; loopback is not", () => {
  const lo = link("lo", 1, { kind: "other", isLoopback: true, carriesDefaultRoute: true });
  assert.deepEqual(own(link("wlan0", 4, { kind: "wireless" }), lo, link("eth10", 3), link("eth0", 2)), [
    "eth0",
    "eth10",
    "wlan0",
  ]);
});

test("an engine's bridge and the cables to its containers are not; a bridge over hardware is, with its port", () => {
  const docker0 = link("docker0", 5, { kind: "bridge" });
  const cable = link("veth1a2b", 6, { kind: "veth", masterIndex: 5 });
  const br0 = link("br0", 7, { kind: "bridge" });
  const port = link("eth0", 2, { masterIndex: 7 });
  const guest = link("tap0", 8, { kind: "tun", masterIndex: 7 });
  assert.deepEqual(own(docker0, cable, br0, port, guest), ["br0", "eth0"]);
  const vlan = link("bond0.5", 9, { kind: "vlan", masterIndex: 10, hasParentHere: true });
  assert.deepEqual(own(link("plant", 10, { kind: "bridge" }), vlan), ["bond0.5", "plant"]);
});

test("a macvlan made here is a guest's; one that was given to this machine is its own", () => {
  const guest = link("mv0", 3, { kind: "macvlan", hasParentHere: true });
  const given = link("eth0", 4, { kind: "macvlan" });
  assert.deepEqual(own(link("eth1", 2), guest, given), ["eth0", "eth1"]);
});

test("what netmon made for vNICs is not the machine's own; an alias of the administrator's means nothing", () => {
  const far = link("orch-0a1b2c3d4e", 3, { kind: "veth", alias: "orchestrator" });
  const vlan = link("eth0.10", 4, { kind: "vlan", hasParentHere: true, alias: "orchestrator" });
  assert.deepEqual(own(link("eth0", 2, { alias: "to the plant" }), far, vlan), ["eth0"]);
});

test("what carries the default route is the machine's own, whatever it is", () => {
  const carriesDefaultRoute = true;
  assert.deepEqual(
    own(
      link("br-lan", 2, { kind: "bridge", carriesDefaultRoute }),
      link("mv0", 3, { kind: "macvlan", hasParentHere: true, carriesDefaultRoute }),
      link("veth0", 4, { kind: "veth", masterIndex: 2, carriesDefaultRoute }),
    ),
    ["br-lan", "mv0", "veth0"],
  );
});

test("the kernel's words for drivers are ours, and one that is new is other", () => {
  const words = [
    "bridge",
    "bond",
    "vlan",
    "veth",
    "macvlan",
    "macvtap",
    "tun",
    "wlan",
    "wireguard",
    "",
    undefined,
  ];
  assert.deepEqual(words.map(kindOfDriver), [
    ...[
      "bridge",
      "bond",
      "vlan",
      "veth",
      "macvlan",
      "macvlan",
      "tun",
      "wireless",
      "other",
      undefined,
      undefined,
    ],
  ]);
});

test("hardware is read for the link that is meant, and a speed that the driver does not tell is 0", () => {
  using folder = tempFolder();
  const at = join(folder.path, "class/net/eth0");
  mkdirSync(join(at, "device"), { recursive: true });
  mkdirSync(join(at, "phy80211"));
  writeFileSync(join(at, "ifindex"), "2\n");
  writeFileSync(join(at, "speed"), "1000\n");
  const read = () => readHardware(folder.path, "eth0", 2);
  assert.deepEqual(read(), { hasDevice: true, isWireless: true, speedMbps: 1000 });
  for (const told of ["-1\n", "", "unknown"]) {
    writeFileSync(join(at, "speed"), told);
    assert.equal(read()?.speedMbps, 0, `speed ${JSON.stringify(told)}`);
  }
  rmSync(join(at, "speed"));
  assert.equal(read()?.speedMbps, 0);
  assert.equal(readHardware(folder.path, "eth0", 3), undefined, "another network namespace's eth0");
  assert.equal(readHardware(folder.path, "eth1", 2), undefined);
});
