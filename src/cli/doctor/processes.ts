import { readdir, readFile } from "node:fs/promises";
import type { ProxyNames } from "../../wire/proxy.ts";

/** A process as /proc shows it. */
export interface Process {
  pid: number;
  /** The kernel's name of it, 15 characters at most. */
  name: string;
  args: readonly string[];
}

/** All processes that this user sees. Kernel threads have no arguments. */
export async function processes(): Promise<Process[]> {
  const pids = (await readdir("/proc")).filter((one) => /^\d+$/.test(one));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [name, args] = await Promise.all([read(pid, "comm"), read(pid, "cmdline")]);
      return { pid: Number(pid), name: name.trim(), args: args.split("\0") };
    }),
  );
  return found.filter(({ name }) => name !== "");
}

/** The first process that was started as `... <noun> start`. */
export function startedAs(all: readonly Process[], noun: string): Process | undefined {
  return all.find(({ args }) => args.some((arg, index) => arg === noun && args[index + 1] === "start"));
}

/** A file of a process, empty for one that has ended. */
function read(pid: string, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
}

/** The variables that a process was started with; none where this user may not see them. */
export async function environmentOf(pid: number): Promise<Record<string, string>> {
  const pairs = (await read(String(pid), "environ")).split("\0").filter((one) => one.includes("="));
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
}

/** Where the proxy is named, by the variables of the daemon. What only its settings file says, this does not know. */
export function proxyNames(env: NodeJS.ProcessEnv): ProxyNames {
  return {
    env,
    url: env.ORCHESTRATOR_LINE_PROXY || undefined,
    noProxy: env.ORCHESTRATOR_LINE_NO_PROXY?.split(",") ?? [],
    credentialsFile: env.ORCHESTRATOR_LINE_PROXY_CREDENTIALS_FILE || undefined,
    caFile: env.ORCHESTRATOR_LINE_PROXY_CA_FILE || undefined,
  };
}

/** The variables that name a proxy: of the daemon's process where this user may see them, else of this program. */
export async function proxyVariables(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const daemon = startedAs(await processes(), "daemon");
  const variables = daemon ? await environmentOf(daemon.pid) : {};
  return Object.keys(variables).length > 0 ? variables : env;
}
