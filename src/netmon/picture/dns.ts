import { join } from "node:path";
import { readText } from "../../wire/interfaces.ts";

/** The address of systemd-resolved on the machine itself, of no use to anybody on the LAN. */
const stub = "127.0.0.53";

/**
 * The machine's name servers, in order. Where systemd-resolved stands before them, those behind it are told
 * (https://www.freedesktop.org/software/systemd/man/latest/systemd-resolved.service.html).
 */
export function readNameServers({ etc, run }: { etc: string; run: string }): string[] {
  const servers = parseNameServers(readText(join(etc, "resolv.conf")) ?? "");
  if (!servers.includes(stub)) return servers;
  return parseNameServers(readText(join(run, "systemd/resolve/resolv.conf")) ?? "");
}

/** The `nameserver` lines of a resolv.conf(5). */
export function parseNameServers(text: string): string[] {
  return text.split("\n").flatMap((line) => /^nameserver\s+([0-9a-fA-F:.%\w]+)/.exec(line)?.[1] ?? []);
}
