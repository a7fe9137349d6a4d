import assert from "node:assert/strict";
import { test } from "node:test";
import { rulesIn } from "../../../src/netmon/devices/group-v1.ts";
import { groupFolders, isAllowed } from "../../../src/netmon/devices/rights.ts";

const id = "ab".repeat(32);
const mounts = `30 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
36 30 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:17 - cgroup cgroup rw,cpu,cpuacct
37 30 0:34 / /sys/fs/cgroup/devices rw,relatime shared:18 - cgroup cgroup rw,devices
41 30 0:38 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw`;

test("a container's device control group is found as each engine, driver and version of the kernel's names it", () => {
  const at = (line: string, seen = mounts) => groupFolders(`9:name=systemd:/x\n${line}\n`, seen, id).folders;
  const [top, unified] = ["/sys/fs/cgroup/devices", "/sys/fs/cgroup/unified"];
  const scope = `system.slice/docker-${id}.scope`;
  assert.deepEqual(at(`5:devices:/docker/${id}`), [`${top}/docker/${id}`]);
  assert.deepEqual(at(`5:devices:/${scope}\n0::/`), [`${top}/${scope}`]);
  assert.deepEqual(at(`5:devices,pids:/docker/${id}`), [`${top}/docker/${id}`]);
  assert.equal(at(`5:devices:/docker/${id}/init.scope`)[0], `${top}/docker/${id}`, "its own comes first");
  const below = mounts.replace("0:34 /", "0:34 /docker");
  assert.deepEqual(at(`5:devices:/docker/${id}`, below), [`${top}/${id}`]);
  assert.deepEqual(at(`5:devices:/elsewhere/${id}`, below), []);
  assert.deepEqual(at("5:devices:/user.slice"), [], "no container's");
  assert.deepEqual(at(`0::/${scope}`), [`${unified}/${scope}`]);
  assert.deepEqual(at(`0::/${scope}/container`), [`${unified}/${scope}`, `${unified}/${scope}/container`]);
});

test("a rule of the kernel covers a device or not, letter by letter", () => {
  const rules = rulesIn("c 1:5 rwm\nc 136:* rwm\nb *:* m\nc *:* m\nc 188:0 r\n");
  const may = (major: number, minor: number, access: "r" | "rw") =>
    isAllowed(rules, { kind: "c", major, minor }, access);
  assert.deepEqual([may(1, 5, "rw"), may(136, 7, "rw"), may(188, 0, "r")], [true, true, true]);
  assert.deepEqual([may(188, 0, "rw"), may(188, 1, "r"), may(1, 1, "r")], [false, false, false]);
  assert.ok(isAllowed(rulesIn("a *:* rwm"), { kind: "c", major: 5, minor: 5 }, "rw"));
});
