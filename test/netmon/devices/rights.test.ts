import assert from "node:assert/strict";
import { test } from "node:test";
import { groupFolder, isAllowed, rulesIn } from "../../../src/netmon/devices/rights.ts";

const id = "ab".repeat(32);
const mounts = `30 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
36 30 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:17 - cgroup cgroup rw,cpu,cpuacct
37 30 0:34 / /sys/fs/cgroup/devices rw,relatime shared:18 - cgroup cgroup rw,devices
41 30 0:38 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw`;

test("a container's device control group is found as each engine and driver names it", () => {
  const at = (line: string, seen = mounts) => groupFolder(`9:name=systemd:/x\n${line}\n0::/\n`, seen, id);
  const top = "/sys/fs/cgroup/devices";
  assert.equal(at(`5:devices:/docker/${id}`), `${top}/docker/${id}`);
  assert.equal(at(`5:devices:/system.slice/docker-${id}.scope`), `${top}/system.slice/docker-${id}.scope`);
  assert.equal(at(`5:devices,pids:/docker/${id}`), `${top}/docker/${id}`);
  assert.equal(
    at(`5:devices:/docker/${id}/init.scope`),
    `${top}/docker/${id}`,
    "whoever is in it made that one",
  );
  const below = mounts.replace("0:34 /", "0:34 /docker");
  assert.equal(at(`5:devices:/docker/${id}`, below), `${top}/${id}`);
  assert.equal(at(`5:devices:/elsewhere/${id}`, below), undefined);
  assert.equal(at("5:devices:/user.slice"), undefined, "no container's");
  assert.equal(at(`0::/system.slice/docker-${id}.scope`), undefined, "version 2");
});

test("a rule of the kernel covers a device or not, letter by letter", () => {
  const rules = rulesIn("c 1:5 rwm\nc 136:* rwm\nb *:* m\nc *:* m\nc 188:0 r\n");
  const may = (major: number, minor: number, access: "r" | "rw") =>
    isAllowed(rules, { kind: "c", major, minor }, access);
  assert.deepEqual([may(1, 5, "rw"), may(136, 7, "rw"), may(188, 0, "r")], [true, true, true]);
  assert.deepEqual([may(188, 0, "rw"), may(188, 1, "r"), may(1, 1, "r")], [false, false, false]);
  assert.ok(isAllowed(rulesIn("a *:* rwm"), { kind: "c", major: 5, minor: 5 }, "rw"));
});
