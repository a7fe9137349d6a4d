import { homedir } from "node:os";
import { systemClock } from "../base/clock.ts";
import { openLog } from "../base/log.ts";
import { loadSettings } from "../base/settings.ts";
import { printSettings } from "../base/settings-print.ts";
import type { ProgramOptions } from "../wire/program.ts";
import { otherVariables, settingSections, settingsFile } from "../wire/settings.ts";
import { version } from "../wire/version.ts";
import { daemonSettings } from "./config.ts";
import { openDaemon } from "./daemon.ts";

/** `orchestrator daemon start`: runs the daemon until it is asked to end. Its runtimes go on without it. */
export async function run({ flags, env, file, printConfig, json, signal }: ProgramOptions): Promise<number> {
  const definitions = daemonSettings({ env, uid: process.getuid?.() ?? 0, home: homedir() });
  const loaded = await loadSettings(definitions, {
    flags,
    env,
    file: settingsFile(file, env),
    sections: settingSections,
    otherVariables,
  });
  if (printConfig) {
    process.stdout.write(printSettings(definitions, loaded, { json: json ?? false }));
    return 0;
  }
  const { values: config } = loaded;
  // Whatever a daemon makes is its own: nobody else reads state, keys or sockets unless they are opened to a group.
  process.umask(0o077);
  const log = openLog({
    program: "daemon",
    level: config["log.level"],
    format: config["log.format"],
    ...(config["log.file"] !== undefined && { file: config["log.file"] }),
  });
  await using daemon = await openDaemon({ config, clock: systemClock, log, random: Math.random });
  log.info({ version, socket: daemon.socket, engine: config["docker.host"] }, "the daemon is up");
  await daemon.run(signal);
  log.info("the daemon stops; its runtimes go on");
  return 0;
}
