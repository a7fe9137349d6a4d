import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { splitProgram, withPassages } from "../../../src/netmon/devices/device-program.ts";
import { groupOfVersion2 } from "../../../src/netmon/devices/group-v2.ts";
import { objectFile } from "../../../src/netmon/devices/object-file.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const fuse = { kind: "c", major: 10, minor: 229 } as const;
const full = { kind: "c", major: 1, minor: 7 } as const;
/** As an engine's, but shorter: whatever is asked, the answer is no. In the kernel's words: r0 = 0; exit. */
const denyAll = Buffer.from("b700000000000000" + "9500000000000000", "hex");

test("a program is taken apart into what it was and what was put before it", () => {
  const passages = [
    { number: fuse, access: "rw" },
    { number: full, access: "r" },
    { number: { kind: "b", major: 4095, minor: 1_048_575 }, access: "rw" },
  ] as const;
  const program = withPassages(passages, denyAll);
  assert.deepEqual(splitProgram(program), { passages: [...passages], rest: denyAll });
  assert.deepEqual(splitProgram(denyAll), { passages: [], rest: denyAll });
  const cut = program.subarray(0, 50);
  assert.deepEqual(splitProgram(cut), { passages: [], rest: cut });
});

test("in the kernel a group's members may use just what was let through, and no more after it", async () => {
  using folder = tempFolder();
  await using group = ownGroup();
  // Two programs, as systemd's and the engine's are, and each must say yes.
  for (const name of ["one", "other"]) group.attach(denyAll, name, folder.path);
  const { signal } = new AbortController();
  const rights = groupOfVersion2([group.path], signal);
  assert.deepEqual(await rights.rules(), []);
  assert.deepEqual(group.opens(), []);
  await rights.change("allow", fuse, "rw");
  await rights.change("allow", full, "r");
  assert.deepEqual(await rights.rules(), [
    { kind: "c", major: "10", minor: "229", access: "rw" },
    { kind: "c", major: "1", minor: "7", access: "r" },
  ]);
  assert.deepEqual(group.opens(), ["fuse to write", "fuse", "full"], "and no nodes are made");
  assert.equal(group.programs().length, 2, "nothing is left of those that were replaced");
  await rights.change("deny", fuse, "rw");
  assert.deepEqual(group.opens(), ["full"]);
  await rights.change("deny", full, "r");
  assert.deepEqual([await rights.rules(), group.opens()], [[], []]);
});

/** A control group of version 2 of the test's own, wherever this machine has them. */
function ownGroup() {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const top =
    /^\d+ \d+ \S+ \/ (\S+) .* - cgroup2 /m.exec(mounts)?.[1] ?? assert.fail("no cgroup2 is mounted");
  const path = join(top, `orchestrator-test-${process.pid}`);
  mkdirSync(path);
  const nodes = tempFolder();
  execFileSync("mknod", [join(nodes.path, "fuse"), "c", "10", "229"]);
  execFileSync("mknod", [join(nodes.path, "full"), "c", "1", "7"]);
  const script = `echo $$ >${path}/cgroup.procs
    cd ${nodes.path}
    (exec 3>fuse) 2>&- && echo fuse to write
    (exec 3<fuse) 2>&- && echo fuse
    (exec 3>full) 2>&- && echo full to write
    (exec 3<full) 2>&- && echo full
    mknod made c 10 229 2>&- && echo made
    exit 0`;
  return {
    path,
    programs: () =>
      JSON.parse(execFileSync("bpftool", ["-j", "cgroup", "show", path], { encoding: "utf8" })) as unknown[],
    attach: (program: Buffer, name: string, folder: string) => {
      writeFileSync(join(folder, name), objectFile(program, name));
      const place = join(folder, `${name}.place`);
      mkdirSync(place);
      const steps = `mount -t bpf bpf ${place} && bpftool prog load ${join(folder, name)} ${place}/it type cgroup/dev &&
        bpftool cgroup attach ${path} device pinned ${place}/it multi`;
      execFileSync("unshare", ["--mount", "sh", "-c", steps]);
    },
    /** What a member may open. */
    opens: () => {
      const { stdout } = spawnSync("sh", ["-c", script], {
        encoding: "utf8",
        stdio: ["pipe", "pipe", "ignore"],
      });
      return stdout.split("\n").filter(Boolean);
    },
    [Symbol.asyncDispose]: () => {
      nodes[Symbol.dispose]();
      rmdirSync(path);
      return Promise.resolve();
    },
  };
}
