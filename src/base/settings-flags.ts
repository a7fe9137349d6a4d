import { evidence } from "./evidence.ts";
import { failure } from "./failure.ts";
import { nearest } from "./nearest.ts";
import { flagOf, type Settings } from "./settings.ts";

/** What stands on the command line of a program that runs until it is stopped. */
export interface ProgramFlags {
  /** Of settings, by name without dashes. */
  flags: Record<string, string>;
  /** `--config <path>`: the settings file. */
  config: string | undefined;
  /** `--print-config`: print the effective settings and end. */
  printConfig: boolean;
  /** `--json`: print for programs. */
  json: boolean;
}

/**
 * Reads `--name value` and `--name=value` for every setting, and the three flags that every program has.
 * @throws {Failure} invalid: a flag that is not known, has no value, or a word that is no flag.
 */
export function readProgramFlags(args: readonly string[], definitions: Settings): ProgramFlags {
  const names = new Set(Object.keys(definitions).map(flagOf));
  const read: ProgramFlags = { flags: {}, config: undefined, printConfig: false, json: false };
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) throw failure("invalid", `${evidence(arg)} is not expected here: only flags are`);
    if ((name === "print-config" || name === "json") && inline === undefined) {
      if (name === "json") read.json = true;
      else read.printConfig = true;
      continue;
    }
    if (name !== "config" && !names.has(name)) {
      const near = nearest(name, [...names, "config", "print-config", "json"]);
      const hint = near === undefined ? "--print-config lists all settings" : `did you mean --${near}?`;
      throw failure("invalid", `${evidence(`--${name}`).slice(1, -1)} is not a known flag; ${hint}`);
    }
    const value = inline ?? args[++index];
    if (value === undefined) throw failure("invalid", `--${name} needs a value after it`);
    if (name === "config") read.config = value;
    else read.flags[name] = value;
  }
  return read;
}
