import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "../../fixtures/folder.ts";
import type { Lan } from "../../fixtures/lan.ts";
import { until } from "../../journeys/until.ts";

/** Another DHCP server, busybox's, whose leases may be of seconds; those of dnsmasq are 120 s at least. */
export async function shortLeases(lan: Lan, seconds: number): Promise<AsyncDisposable> {
  const folder = tempFolder();
  const settings = [
    ...[
      `start ${lan.at(200)}`,
      `end ${lan.at(210)}`,
      "interface switch",
      `lease_file ${join(folder.path, "leases")}`,
    ],
    ...[`pidfile ${join(folder.path, "pid")}`, "min_lease 1", `option lease ${seconds}`],
    ...["option subnet 255.255.255.0", `option router ${lan.router}`],
  ];
  const file = join(folder.path, "udhcpd.conf");
  writeFileSync(file, `${settings.join("\n")}\n`);
  writeFileSync(join(folder.path, "leases"), "");
  const under = ["netns", "exec", lan.name, "setpriv", "--pdeathsig", "KILL"];
  const child = spawn("ip", [...under, "busybox", "udhcpd", "-f", file], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  await until(`udhcpd is up: ${said}`, () => said.includes("started"));
  return {
    async [Symbol.asyncDispose]() {
      if (child.kill("SIGKILL")) await once(child, "close");
      folder[Symbol.dispose]();
    },
  };
}
