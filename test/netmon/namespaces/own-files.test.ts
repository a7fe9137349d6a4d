import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { asFailure } from "../../../src/base/failure.ts";
import { hasOwnRoot, writeNameServers } from "../../../src/netmon/namespaces/index.ts";

test("a container that is just being started still has the node's files, and nothing is written into those", async () => {
  const before = readFileSync("/etc/resolv.conf", "utf8");
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  try {
    const pid = child.pid ?? 0;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const startTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
    const owner = { containerId: "c".repeat(64), pid, startTicks };
    assert.equal(await hasOwnRoot(owner), false);
    await assert.rejects(
      writeNameServers(owner, ["192.0.2.9"]),
      (thrown) => asFailure(thrown).kind === "unavailable",
    );
    assert.equal(readFileSync("/etc/resolv.conf", "utf8"), before);
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
});
