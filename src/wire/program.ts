import { asFailure, errorChain } from "../base/failure.ts";
import { readProgramFlags } from "../base/settings-flags.ts";
import { failureTable } from "./failures.ts";

/** What a program gets from outside. */
export interface ProgramOptions {
  /** By name without dashes; a flag without a value is `true`. The program's settings refuse those that they do not know. */
  flags: Record<string, string | undefined>;
  env: NodeJS.ProcessEnv;
  /** `--config <path>`: the settings file. */
  file?: string;
  /** `--print-config`: print the effective settings and end. */
  printConfig: boolean;
  /** `--json`: print for programs. */
  json?: boolean;
  /** Aborted when the program is asked to end. */
  signal: AbortSignal;
}

/** A program of ours: the module that a command line names. */
export interface Program {
  /** Runs until it is done or asked to end. @returns the exit code. @throws {Failure} as which it failed. */
  run(options: ProgramOptions): Promise<number>;
}

/**
 * Runs a program with the flags of a command line. What it fails with is told to a person as one sentence, and to programs
 * as the exit code of the failure's kind.
 */
export async function runProgram(
  name: string,
  program: Program,
  args: readonly string[],
  { env, signal }: Pick<ProgramOptions, "env" | "signal">,
): Promise<number> {
  try {
    const { config, ...read } = readProgramFlags(args);
    return await program.run({ ...read, ...(config !== undefined && { file: config }), env, signal });
  } catch (thrown) {
    const { kind, message } = asFailure(thrown);
    // A defect has no sentence of its own: what was thrown is the best that there is.
    const sentence = kind === "internal" ? errorChain(thrown) : message;
    process.stderr.write(`orchestrator ${name}: ${sentence}\n`);
    return failureTable[kind].exit;
  }
}
