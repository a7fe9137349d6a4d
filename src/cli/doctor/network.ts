import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where root's programs are, too. */
export function withSystemPath(env: NodeJS.ProcessEnv): { PATH: string } {
  return { PATH: `${env.PATH ?? "/usr/bin:/bin"}:/usr/sbin:/sbin` };
}

/** What a packet that passes through must get by. @throws {Error} not root, or no iptables. */
export async function lookAtFilter(env: NodeJS.ProcessEnv, signal: AbortSignal) {
  const { stdout } = await run("iptables", ["-w", "1", "-S", "FORWARD"], {
    signal,
    env: withSystemPath(env),
  });
  return filterIn(stdout);
}

/** The policy of a chain, and its rules that refuse whatever reaches them, as `iptables -S` shows them. */
export function filterIn(rules: string): { policy: string; refusing: string[] } {
  const [, policy = "ACCEPT"] = /^-P FORWARD (\w+)$/m.exec(rules) ?? [];
  return { policy, refusing: rules.match(/^-A FORWARD -j (?:DROP|REJECT)\b.*$/gm) ?? [] };
}

/** Which of the kernel's two packet filters iptables writes to, and the tables of the other. @throws {Error} */
export async function lookAtFilterKinds(env: NodeJS.ProcessEnv, signal: AbortSignal) {
  const options = { signal, env: withSystemPath(env) };
  const { stdout } = await run("iptables", ["--version"], options);
  const legacy = await readFile("/proc/net/ip_tables_names", "utf8").catch(() => "");
  if (stdout.includes("nf_tables")) return { used: "nf_tables", other: legacy.split("\n").filter(Boolean) };
  // Without its program nobody wrote rules of the new kind.
  const nft = await run("nft", ["list", "tables"], options).catch(() => ({ stdout: "" }));
  const tables = nft.stdout.split("\n").filter((line) => /^table ip (filter|nat|mangle)$/.test(line));
  return { used: "legacy", other: tables };
}

export async function isForwarding(): Promise<boolean> {
  return (await readFile("/proc/sys/net/ipv4/ip_forward", "utf8")).trim() !== "0";
}
