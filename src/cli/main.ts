import { homedir } from "node:os";
import { systemClock } from "../base/clock.ts";
import { complain, interruptedExit } from "./complain.ts";
import { defineProgram } from "./program.ts";
import type { GlobalFlags, Run } from "./run.ts";
import { openTerminal } from "./terminal.ts";
import { withVersionMeant } from "./version-flag.ts";

/**
 * The CLI: what people and scripts ask of a hub or of the daemon of this machine, in nouns and verbs. It keeps nothing, and
 * says the same messages as every other caller. @returns the exit code, by the kind of failure.
 */
export async function main(
  args: readonly string[],
  { env, signal }: { env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", endWithReader);
  return await runCli(args, {
    env,
    cwd: process.cwd(),
    uid: process.getuid?.() ?? 0,
    home: homedir(),
    terminal: openTerminal(process, env),
    clock: systemClock,
    signal,
  });
}

/** One command line, in a world that is given. @returns the exit code. */
export async function runCli(args: readonly string[], world: Omit<Run, "flags" | "args">): Promise<number> {
  const run: Run = {
    ...world,
    args,
    get flags(): GlobalFlags {
      return program.opts();
    },
  };
  const program = defineProgram(run);
  try {
    await program.parseAsync(withVersionMeant(args), { from: "user" });
    return world.signal.aborted ? interruptedExit : 0;
  } catch (thrown) {
    const code = complain(thrown, world.terminal.err);
    return world.signal.aborted ? interruptedExit : code;
  }
}

/** Who reads us has gone, as `head` does: there is nobody left to tell, and nothing wrong. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
}
