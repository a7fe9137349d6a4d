import { homedir } from "node:os";
import { systemClock } from "../base/clock.ts";
import { begin, programSettings } from "../wire/begin.ts";
import type { ProgramOptions } from "../wire/program.ts";
import { settingsFile } from "../wire/settings.ts";
import { openTracing } from "../wire/tracer.ts";
import { version } from "../wire/version.ts";
import { daemonSettings } from "./config.ts";
import { openDaemon } from "./daemon.ts";
import { afterTrial, become, beginProgram, folderOf, ownProgram, tryProgram } from "./updates/index.ts";

/** `orchestrator daemon start`: runs the daemon until it is asked to end. Its runtimes go on without it. */
export async function run(options: ProgramOptions): Promise<number> {
  const { env, signal: asked } = options;
  const definitions = daemonSettings({ env, uid: process.getuid?.() ?? 0, home: homedir() });
  // Whatever a daemon makes is its own: nobody else reads state, keys or sockets unless they are opened to a group.
  process.umask(0o077);
  // From the beginning: without a listener, the signal would end a daemon that is being started.
  let hangUp = () => {};
  process.on("SIGHUP", () => hangUp());
  const begun = await begin("daemon", definitions, options);
  if (!begun) return 0;
  const { config, log } = begun;
  const dataDir = config["daemon.data_dir"];
  const entry = process.argv[1] ?? "";
  await beginProgram(dataDir, { version, entry, now: systemClock.now, log });
  const source = {
    load: async () => (await programSettings(definitions, options)).values,
    file: settingsFile(options.file, env),
  };
  const signal = AbortSignal.any([asked, guardGone()]);
  while (!signal.aborted) {
    const trial = await oneLife();
    if (!trial || signal.aborted) break;
    const why = await tryProgram(folderOf(dataDir, trial), trial.probationMs, { clock: systemClock, signal });
    const kept = await afterTrial(dataDir, why, systemClock.now());
    if (kept !== undefined) become(kept);
    log.warn({ version: trial.version, why }, "the version that was tried is withdrawn; this one goes on");
  }
  log.info("the daemon stops; its runtimes go on");
  return 0;

  /** Until the daemon is asked to end, or to stand back for another version, which is then returned. */
  async function oneLife() {
    const endpoint = config["traces.endpoint"];
    await using _traces = await openTracing({ program: "daemon", endpoint, env, log });
    await using daemon = await openDaemon({
      ...{ config, source, clock: systemClock, log, random: Math.random },
      ...{ own: ownProgram(dataDir, entry), prove: () => process.send?.("proved") },
      program: [process.execPath, ...process.execArgv, entry],
    });
    hangUp = () => {
      daemon
        .reload()
        .catch((error: unknown) => log.error({ error }, "settings and policy could not be read again"));
    };
    log.info({ version, socket: daemon.socket, engine: config["docker.host"] }, "the daemon is up");
    await daemon.run(AbortSignal.any([signal, daemon.standBack]));
    return daemon.standBack.aborted ? daemon.trial() : undefined;
  }
}

/** Aborted when the version that stands back for this one, if there is one, has died: then this one ends, too. */
function guardGone(): AbortSignal {
  const gone = new AbortController();
  if (process.channel) process.once("disconnect", () => gone.abort());
  return gone.signal;
}
