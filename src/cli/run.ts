import type { Clock } from "../base/clock.ts";
import type { Surroundings } from "./config.ts";
import type { Terminal } from "./terminal.ts";

/** The flags that every command understands, as commander gives them. */
export interface GlobalFlags {
  json?: boolean;
  config?: string;
  hub?: string;
  tokenFile?: string;
  caFile?: string;
  local?: boolean;
  socket?: string;
  node?: string;
  /** Milliseconds. */
  timeout?: number;
}

/** One run of the CLI: what its commands get from outside. */
export interface Run extends Surroundings {
  readonly flags: GlobalFlags;
  /** The command line as it was typed. */
  readonly args: readonly string[];
  terminal: Terminal;
  clock: Clock;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}
