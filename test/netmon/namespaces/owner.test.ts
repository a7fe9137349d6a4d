import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findOwners } from "../../../src/netmon/namespaces/owner.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const [a, b, c] = ["a1", "b2", "c3"].map((pair) => pair.repeat(32)) as [string, string, string];

/** A process as /proc shows it. */
interface Shown {
  pid: number;
  cgroup: string;
  startTicks: number;
  name?: string;
  state?: string;
}

function procOf(processes: readonly Shown[]) {
  const folder = tempFolder();
  for (const { pid, cgroup, startTicks, name = "sh", state = "S" } of processes) {
    mkdirSync(join(folder.path, String(pid)));
    const zeros = "0 ".repeat(18).trim();
    writeFileSync(join(folder.path, `${pid}/stat`), `${pid} (${name}) ${state} ${zeros} ${startTicks} 0 0\n`);
    writeFileSync(join(folder.path, `${pid}/cgroup`), cgroup);
  }
  mkdirSync(join(folder.path, "sys"));
  return folder;
}

/** The pids of the owners that are found, by the first letter of the container's id. */
function found(wanted: readonly string[], processes: readonly Shown[]): Record<string, string> {
  using proc = procOf(processes);
  const owners = findOwners(new Set(wanted), proc.path);
  return Object.fromEntries([...owners].map(([id, one]) => [id[0], `${one.pid} since ${one.startTicks}`]));
}

test("a container is found by its control group, as each engine names it", () => {
  const named = (path: string) => found([a], [{ pid: 7, cgroup: path, startTicks: 10 }]);
  for (const path of [
    `12:pids:/docker/${a}\n11:cpu,cpuacct:/docker/${a}\n0::/system.slice/containerd.service\n`,
    `0::/system.slice/docker-${a}.scope\n`,
    `0::/machine.slice/libpod-${a}.scope/container\n`,
    `0::/plant/line-4/${a}\n`,
    `0::/../docker-${a}.scope\n`,
  ]) {
    assert.deepEqual(named(path), { a: "7 since 10" }, path);
  }
  for (const path of ["0::/\n", `0::/docker/${b}\n`, `0::/docker/${a}0\n`, `0::/docker/${a.slice(1)}\n`]) {
    assert.deepEqual(named(path), {}, path);
  }
});

test("its oldest process that lives is its owner, whatever processes are called", () => {
  const cgroup = `0::/docker/${a}\n`;
  const hostile = "x) Z 1 (";
  const processes = [
    { pid: 30, cgroup, startTicks: 200, name: hostile },
    { pid: 9, cgroup, startTicks: 100, state: "Z" }, // It ended, and nobody has looked yet.
    { pid: 40, cgroup, startTicks: 3 ** 40 },
    { pid: 35, cgroup, startTicks: 200 },
    { pid: 50, cgroup: `0::/docker/${b}`, startTicks: 1 },
  ];
  assert.deepEqual(found([a, b, c], processes), { a: "30 since 200", b: "50 since 1" });
});

test("Podman's watcher of a container is not its owner, and no container passes for another", () => {
  const processes = [
    { pid: 20, cgroup: `0::/machine.slice/libpod-conmon-${a}.scope\n`, startTicks: 1 },
    { pid: 21, cgroup: `0::/machine.slice/libpod-${a}.scope\n`, startTicks: 3 },
    { pid: 22, cgroup: `0::/docker/${c}/docker/${a}\n`, startTicks: 2 }, // It named a group of its own so.
  ];
  assert.deepEqual(found([a, c], processes), { a: "21 since 3", c: "22 since 2" });
});
