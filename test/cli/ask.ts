/** One command line in this process, and what a person would have seen of it. */
import { systemClock } from "../../src/base/clock.ts";
import { runCli } from "../../src/cli/main.ts";
import { openTerminal, type Terminal } from "../../src/cli/terminal.ts";

export interface Seen {
  code: number;
  out: string;
  err: string;
}

export interface Surroundings {
  env?: Record<string, string>;
  /** The folder that the user stands in and lives in. */
  folder: string;
  signal?: AbortSignal;
  /** What differs from the terminal of a pipe. */
  terminal?: Partial<Terminal>;
}

/** Runs `orchestrator <args>` and returns what it wrote and its exit code. */
export async function ask(args: string[], around: Surroundings): Promise<Seen> {
  const seen: Seen = { code: -1, out: "", err: "" };
  const { env = {}, folder, signal = new AbortController().signal } = around;
  const terminal: Terminal = {
    ...openTerminal(process, { TERM: "dumb" }),
    columns: undefined,
    animated: false,
    asks: false,
    out: (text) => {
      seen.out += text;
    },
    err: (text) => {
      seen.err += text;
    },
    ...around.terminal,
  };
  seen.code = await runCli(args, {
    env: { XDG_STATE_HOME: folder, ...env },
    cwd: folder,
    uid: process.getuid?.() ?? 0,
    home: folder,
    terminal,
    clock: systemClock,
    signal,
  });
  return seen;
}
