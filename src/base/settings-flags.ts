import { evidence } from "./evidence.ts";
import { failure } from "./failure.ts";

/** What stands on the command line of a program, read without knowing its settings: those refuse what they do not know. */
export interface ProgramFlags {
  /** By name without dashes. A flag without a value is `true`. */
  flags: Record<string, string>;
  /** `--config <path>`: the settings file. */
  config: string | undefined;
  /** `--print-config`: print the effective settings and end. */
  printConfig: boolean;
  /** `--json`: print for programs. */
  json: boolean;
}

/**
 * Reads `--name value`, `--name=value` and `--name`, and the three flags that every program has. A value that begins with
 * `--` is written with the equals sign.
 * @throws {Failure} invalid: a word that is no flag, or `--config` without its value.
 */
export function readProgramFlags(args: readonly string[]): ProgramFlags {
  const read: ProgramFlags = { flags: {}, config: undefined, printConfig: false, json: false };
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) throw failure("invalid", `${evidence(arg)} is not expected here: only flags are`);
    const isSwitch = inline === undefined && (name === "print-config" || name === "json");
    const next = args[index + 1];
    const takesNext = inline === undefined && !isSwitch && next !== undefined && !next.startsWith("--");
    if (takesNext) index++;
    const value = inline ?? (takesNext ? next : undefined);
    if (isSwitch && name === "json") read.json = true;
    else if (isSwitch) read.printConfig = true;
    else if (name !== "config") read.flags[name] = value ?? "true";
    else if (value === undefined) throw failure("invalid", "--config needs the path of a file after it");
    else read.config = value;
  }
  return read;
}
