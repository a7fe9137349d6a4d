import { CommanderError } from "commander";
import { asFailure, type FailureKind } from "../base/failure.ts";
import { failureTable } from "../wire/failures.ts";
import { printable } from "./table.ts";

/** Exit code of a mistyped command line, as shells use it. */
export const usageExit = 2;
/** Exit code after Ctrl-C, as shells use it: 128 + SIGINT. */
export const interruptedExit = 130;

/** What is wrong has been told already: only the exit code is left. */
export class Spoken extends Error {
  readonly exit: number;

  constructor(exit = 1) {
    super();
    this.exit = exit;
  }
}

/** What to do next where the sentence of a failure does not say so itself. */
const nextStep: Partial<Record<FailureKind, string>> = {
  deadline: "give it more time with --timeout, or look at what is there before trying again",
  internal: "the log of the program that failed has the details",
};

/** The same, where a hub denies what an operator asks. Files and the kernel deny, too, and say why. */
const nextForToken = "an admin of the hub makes tokens with: orchestrator hub operator create";

/**
 * Tells a person what went wrong, on one line of its own, then one line for each wrong field, and what to do next; returns
 * the exit code.
 */
export function complain(thrown: unknown, write: (text: string) => void): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : usageExit; // It has spoken already.
  if (thrown instanceof Spoken) return thrown.exit;
  const { kind, message, violations } = asFailure(thrown);
  if (violations.length > 0) {
    write(`error: this is not ${kind === "denied" ? "allowed" : "valid"}:\n`);
    for (const { field, message } of violations) write(`  ${printable(`${field}: ${message}`)}\n`);
  } else {
    write(`error: ${printable(message)}\n`);
  }
  const next = message.includes("`") || message.includes("--") ? undefined : nextAfter(kind, message);
  if (next !== undefined) write(`next: ${next}\n`);
  return failureTable[kind].exit;
}

function nextAfter(kind: FailureKind, message: string): string | undefined {
  return kind === "denied" && /\b(role|token)\b/.test(message) ? nextForToken : nextStep[kind];
}
