import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { test } from "node:test";
import { ensureVlan, removeUnusedVlans, vlanName } from "../../../src/netmon/parents/index.ts";
import { planVlan, unusedVlans } from "../../../src/netmon/parents/vlan.ts";
import { ownName } from "../namespaces/own-network.ts"; // Whoever imports it runs within a namespace of its own.
import { link } from "./links.ts";

const { signal } = new AbortController();
const [lo, eth1, eth10] = [
  link({ name: "lo", index: 1, isLoopback: true }),
  link({ name: "eth1", index: 2 }),
  link({ name: "eth10", index: 3 }),
];
const node = [lo, eth1, eth10];
const wish = { parent: "eth1", vlanId: 10 };
const made = link({
  name: "eth1.10",
  index: 9,
  kind: "vlan",
  vlanId: 10,
  parentIndex: 2,
  alias: "orchestrator",
});

test("a VLAN's sub-interface is made under a name of ours, marked, and then named as people expect", () => {
  assert.deepEqual(planVlan(wish, node), {
    name: "eth1.10",
    steps: [
      "ip link add link eth1 name vlan-297f00b4c8 type vlan id 10",
      "ip link set dev vlan-297f00b4c8 alias orchestrator",
      "ip link set dev vlan-297f00b4c8 name eth1.10",
      "ip link set dev eth1.10 up",
    ],
  });
  assert.deepEqual(planVlan(wish, [...node, made]), { name: "eth1.10", steps: [] });
  const cutOff = { ...made, name: "vlan-297f00b4c8", alias: "", isUp: false };
  assert.deepEqual(planVlan(wish, [...node, cutOff]).steps, planVlan(wish, node).steps.slice(1));
  const down = [
    { ...eth1, isUp: false },
    { ...made, isUp: false },
  ];
  assert.deepEqual(planVlan(wish, down).steps, [], "the kernel sets it up with its parent");
});

test("an administrator's own sub-interface is used as it is, whatever its name", () => {
  const theirs = { ...made, name: "office", alias: "", isUp: false };
  assert.deepEqual(planVlan(wish, [...node, theirs]), { name: "office", steps: [] });
  assert.deepEqual(unusedVlans([], [...node, theirs]), []);
  const other = { ...theirs, name: "eth1.10", vlanId: 77 };
  assert.equal(planVlan(wish, [...node, other]).name, "vlan-297f00b4c8", "its usual name is another's");
});

test("a name that is too long for the kernel is a hash, and no two are the same", () => {
  assert.equal(vlanName({ parent: "enp1s0f1n", vlanId: 4094 }), "enp1s0f1n.4094");
  const long = ["enx001b21aabbcc", "enx001b21aabbcd"].map((parent) => vlanName({ parent, vlanId: 4094 }));
  for (const name of long) assert.match(name, /^vlan-[0-9a-f]{10}$/);
  assert.notEqual(long[0], long[1]);
});

test("only sub-interfaces of ours that no vNIC wants are removed, and eth1 is not eth10", () => {
  const all = [...node, made, { ...made, name: "eth10.10", index: 10, parentIndex: 3 }];
  assert.deepEqual(unusedVlans([wish], all), ["eth10.10"]);
  assert.deepEqual(unusedVlans([{ parent: "eth1", vlanId: 1 }], all), ["eth1.10", "eth10.10"]);
});

test("a kernel without 802.1Q says so, and nothing is left; one that has it makes and removes", async () => {
  const ip = (words: string) => execFileSync("ip", words.split(" "), { encoding: "utf8" });
  ip("link add eth1 type veth peer name far1");
  ip("link set eth1 up");
  const hasVlans = spawnSync("ip", "link add link eth1 name try type vlan id 1".split(" ")).status === 0;
  if (hasVlans) {
    ip("link delete try");
    assert.equal(await ensureVlan(wish, signal), "eth1.10");
    assert.equal(await ensureVlan(wish, signal), "eth1.10");
    assert.deepEqual(await removeUnusedVlans([wish], signal), []);
    assert.deepEqual(await removeUnusedVlans([], signal), ["eth1.10"]);
  } else {
    const says = /this kernel cannot do it/;
    await assert.rejects(ensureVlan(wish, signal), { kind: "unsupported", message: says });
    assert.deepEqual(await removeUnusedVlans([], signal), []);
  }
  await assert.rejects(ensureVlan({ ...wish, parent: "eth7" }, signal), { kind: "not_found" });
  assert.deepEqual(ip("-br link").match(/^\S+/gm), ["lo", "far1@eth1", "eth1@far1"], ownName);
});
