import { readFileSync, writeFileSync } from "node:fs";
import { failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";

/** A setting of the kernel for netmon's own network, such as `net/ipv4/conf/eth0.10/forwarding`; empty when it has no such. */
export function readSetting(name: string): string {
  try {
    return readFileSync(`/proc/sys/${name}`, "utf8").trim();
  } catch {
    return ""; // The link is gone, or the kernel has no IPv6.
  }
}

/** @throws {Failure} denied: /proc/sys cannot be written here. not_found: the link is gone. */
export function writeSetting(name: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/${name}`, value);
  } catch (cause) {
    const code = systemCode(cause);
    // A kernel without IPv6 has nothing of it to turn off.
    if (code === "ENOENT" && name.startsWith("net/ipv6/")) return;
    const sentence = `cannot set ${name.replaceAll("/", ".")} to ${value}`;
    if (code === "ENOENT") throw failure("not_found", `${sentence}: its link is gone`, { cause });
    const next = "run netmon's container with --security-opt systempaths=unconfined";
    throw failure("denied", `${sentence}, because /proc/sys cannot be written: ${next}`, { cause });
  }
}
