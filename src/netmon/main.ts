import { homedir } from "node:os";
import { systemClock } from "../base/clock.ts";
import { begin } from "../wire/begin.ts";
import type { ProgramOptions } from "../wire/program.ts";
import { version } from "../wire/version.ts";
import { netmonSettings } from "./config.ts";
import { openNetmon } from "./netmon.ts";

/** `orchestrator netmon start`: tells of the machine's network until it is asked to end. */
export async function run(options: ProgramOptions): Promise<number> {
  const { env, signal } = options;
  const definitions = netmonSettings({ env, uid: process.getuid?.() ?? 0, home: homedir() });
  const begun = await begin("netmon", definitions, options);
  if (!begun) return 0;
  const { config, log } = begun;
  await using netmon = await openNetmon({ config, clock: systemClock, log, random: Math.random }, signal);
  log.info({ version, socket: config["netmon.socket"] }, "netmon is up");
  await netmon.run(signal);
  log.info("netmon stops");
  return 0;
}
