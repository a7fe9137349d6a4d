import { homedir } from "node:os";
import { systemClock } from "../base/clock.ts";
import { begin, programSettings } from "../wire/begin.ts";
import type { ProgramOptions } from "../wire/program.ts";
import { settingsFile } from "../wire/settings.ts";
import { version } from "../wire/version.ts";
import { daemonSettings } from "./config.ts";
import { openDaemon } from "./daemon.ts";

/** `orchestrator daemon start`: runs the daemon until it is asked to end. Its runtimes go on without it. */
export async function run(options: ProgramOptions): Promise<number> {
  const { env, signal } = options;
  const definitions = daemonSettings({ env, uid: process.getuid?.() ?? 0, home: homedir() });
  // Whatever a daemon makes is its own: nobody else reads state, keys or sockets unless they are opened to a group.
  process.umask(0o077);
  // From the beginning: without a listener, the signal would end a daemon that is being started.
  let hangUp = () => {};
  process.on("SIGHUP", () => hangUp());
  const begun = await begin("daemon", definitions, options);
  if (!begun) return 0;
  const { config, log } = begun;
  const source = {
    load: async () => (await programSettings(definitions, options)).values,
    file: settingsFile(options.file, env),
  };
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1, 2)];
  const around = { clock: systemClock, log, random: Math.random, program };
  await using daemon = await openDaemon({ config, source, ...around });
  hangUp = () => {
    daemon
      .reload()
      .catch((error: unknown) => log.error({ error }, "settings and policy could not be read again"));
  };
  log.info({ version, socket: daemon.socket, engine: config["docker.host"] }, "the daemon is up");
  await daemon.run(signal);
  log.info("the daemon stops; its runtimes go on");
  return 0;
}
