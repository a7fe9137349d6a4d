import { type Logger, openLog } from "../base/log.ts";
import { type LoadedSettings, loadSettings, type Settings, type SettingValues } from "../base/settings.ts";
import { printSettings } from "../base/settings-print.ts";
import type { ProgramOptions } from "./program.ts";
import { type logSettings, otherVariables, settingSections, settingsFile } from "./settings.ts";

/** A program that may go on: what it is configured to do, and where it tells what it does. */
export interface Begun<S extends typeof logSettings> {
  config: SettingValues<S>;
  log: Logger;
}

/** A program's settings, from all of their sources. @throws {Failure} invalid: every one that is wrong. */
export function programSettings<S extends Settings>(
  definitions: S,
  { flags, env, file }: Pick<ProgramOptions, "flags" | "env" | "file">,
): Promise<LoadedSettings<S>> {
  return loadSettings(definitions, {
    ...{ flags, env, otherVariables },
    file: settingsFile(file, env),
    sections: settingSections,
  });
}

/**
 * How every program of ours begins: reads its settings, and opens its log. Undefined when it was only asked to print them.
 * @throws {Failure} invalid: the settings, every one that is wrong.
 */
export async function begin<S extends typeof logSettings>(
  program: string,
  definitions: S,
  options: ProgramOptions,
): Promise<Begun<S> | undefined> {
  const { printConfig, json = false } = options;
  const loaded = await programSettings(definitions, options);
  if (printConfig) {
    process.stdout.write(printSettings(definitions, loaded, { json }));
    return undefined;
  }
  // They are among the settings, as S says; through a mapped type the compiler cannot see it.
  const said = loaded.values as SettingValues<typeof logSettings>;
  const logFile = said["log.file"];
  const log = openLog({
    program,
    level: said["log.level"],
    format: said["log.format"],
    ...(logFile !== undefined && { file: logFile }),
  });
  return { config: loaded.values, log };
}
