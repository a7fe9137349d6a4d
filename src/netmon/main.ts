import { homedir } from "node:os";
import { systemClock } from "../base/clock.ts";
import { openLog } from "../base/log.ts";
import { loadSettings } from "../base/settings.ts";
import { printSettings } from "../base/settings-print.ts";
import type { ProgramOptions } from "../wire/program.ts";
import { otherVariables, settingSections, settingsFile } from "../wire/settings.ts";
import { version } from "../wire/version.ts";
import { netmonSettings } from "./config.ts";
import { openNetmon } from "./netmon.ts";

/** `orchestrator netmon start`: tells of the machine's network until it is asked to end. */
export async function run({ flags, env, file, printConfig, json, signal }: ProgramOptions): Promise<number> {
  const definitions = netmonSettings({ env, uid: process.getuid?.() ?? 0, home: homedir() });
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
  const log = openLog({
    program: "netmon",
    level: config["log.level"],
    format: config["log.format"],
    ...(config["log.file"] !== undefined && { file: config["log.file"] }),
  });
  await using netmon = await openNetmon({ config, clock: systemClock, log, random: Math.random }, signal);
  log.info({ version, socket: config["netmon.socket"] }, "netmon is up");
  await netmon.run(signal);
  log.info("netmon stops");
  return 0;
}
