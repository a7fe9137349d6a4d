import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { resolvConf, writeNameServers } from "../../../src/netmon/namespaces/name-servers.ts";
import type { Owner } from "../../../src/netmon/namespaces/owner.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";

/** A process whose root is a folder with busybox and `/etc/resolv.conf`. */
async function confined() {
  const folder = tempFolder();
  const etc = join(folder.path, "etc");
  mkdirSync(etc);
  writeFileSync(join(etc, "resolv.conf"), "nameserver 192.0.2.1\n");
  const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  copyFileSync(busybox, join(folder.path, "busybox"));
  const child = spawn("chroot", [folder.path, "/busybox", "sleep", "1000"], { stdio: "ignore" });
  const owner = await until("it runs in its root", () => {
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
    if (!stat.includes("(busybox)")) return undefined;
    const startTicks = stat.split(") ").at(-1)?.split(" ")[19] ?? "";
    return { containerId: "c".repeat(64), pid: child.pid ?? 0, startTicks } satisfies Owner;
  });
  return { owner, root: folder.path, etc, [Symbol.asyncDispose]: () => end(child, folder) };
}

async function end(child: ChildProcess, folder: Disposable): Promise<void> {
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await ended;
  folder[Symbol.dispose]();
}

test("a container cannot lead the writing of its name servers out of itself", async () => {
  await using box = await confined();
  using outside = tempFolder();
  const file = join(box.etc, "resolv.conf");
  const victim = join(outside.path, "resolv.conf");
  writeFileSync(victim, "untouched");
  const write = () => writeNameServers(box.owner, ["10.0.0.1"]);

  assert.equal(await write(), true);
  assert.equal(readFileSync(file, "utf8"), "nameserver 10.0.0.1\n");

  rmSync(file);
  assert.equal(await write(), false, "one that has none needs none");
  symlinkSync(victim, file);
  await assert.rejects(write(), { kind: "denied" });
  rmSync(file);
  execFileSync("mkfifo", [file]);
  await assert.rejects(write(), { kind: "denied" });
  rmSync(file);
  mkdirSync(file);
  await assert.rejects(write(), { kind: "denied" });
  rmSync(box.etc, { recursive: true });
  symlinkSync(outside.path, box.etc);
  await assert.rejects(write(), { kind: "denied" });
  assert.equal(readFileSync(victim, "utf8"), "untouched");
});

test("what a DHCP server says cannot add lines of its own", () => {
  assert.equal(
    resolvConf(["10.0.0.1", "fd77::1"], "plant.example"),
    "search plant.example\nnameserver 10.0.0.1\nnameserver fd77::1\n",
  );
  assert.equal(
    resolvConf(["10.0.0.1\nnameserver 6.6.6.6", "dns.example"], "a\nnameserver b;c d.example"),
    "search a nameserver d.example\n",
  );
  assert.equal(resolvConf([], ""), "");
});
