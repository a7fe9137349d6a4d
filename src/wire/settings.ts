import { join } from "node:path";
import { oneOf, optional, path } from "../base/setting-kinds.ts";
import type { Settings } from "../base/settings.ts";

/**
 * Where keys of any program may stand: one file or one environment may configure all programs. The keys of the CLI that
 * share the hub's section are named one by one, so that the hub refuses its own mistyped keys and the CLI does not refuse
 * the hub's.
 */
export const settingSections = [
  "hub",
  "hub.data_dir",
  "hub.url",
  "hub.ca_file",
  "hub.token_file",
  "daemon",
  "daemon.data_dir",
  "daemon.socket",
  "docker",
  "line",
  "images",
  "invoke",
  "metrics",
  "runtimes",
  "netmon",
  "netmon.socket",
  "policy",
  "tasks",
  "egress",
  "credentials",
  "llm_providers",
  "session",
  "memory",
  "topics",
  "cli",
  "log",
  "traces",
] as const;

/** Variables of ours that are not settings: the settings file itself. */
export const otherVariables = ["ORCHESTRATOR_CONFIG"] as const;

/** The settings file that the command line or else the environment names. */
export function settingsFile(flag: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  return flag ?? (env.ORCHESTRATOR_CONFIG || undefined);
}

/** Settings of every program that writes a log. */
export const logSettings = {
  "log.level": oneOf(["trace", "debug", "info", "warn", "error", "silent"], {
    default: "info",
    doc: "What is logged: this and everything more serious.",
  }),
  "log.format": oneOf(["json", "pretty"], {
    default: "json",
    doc: "How a line looks: json for programs, pretty for a person at a terminal.",
  }),
  "log.file": optional(
    path({ default: "", doc: "File to log to, rotated at 10 MB, five kept; standard error when not set." }),
  ),
} satisfies Settings;

/**
 * Where a program keeps its state when nothing else is configured: `/var/lib/orchestrator/<program>` for root, else below
 * the user's state folder (https://specifications.freedesktop.org/basedir-spec/latest/).
 */
export function defaultStateFolder(
  program: string,
  env: NodeJS.ProcessEnv,
  uid: number,
  home: string,
): string {
  if (uid === 0) return join("/var/lib/orchestrator", program);
  return join(env.XDG_STATE_HOME || join(home, ".local/state"), "orchestrator", program);
}

/** Where netmon's socket is when nothing else is configured: netmon makes it, the daemon and the CLI look for it there. */
export function defaultNetmonSocket(env: NodeJS.ProcessEnv, uid: number, home: string): string {
  return join(defaultStateFolder("netmon", env, uid, home), "netmon.sock");
}
