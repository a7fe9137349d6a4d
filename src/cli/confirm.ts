import { failure } from "../base/failure.ts";
import type { Run } from "./run.ts";

/**
 * Returns when a person said yes, or said so beforehand with `--yes`. Where nobody can be asked, nothing that cannot be undone
 * is done. @throws {Failure} cancelled: the answer was no. invalid: nobody is there to ask.
 */
export async function confirmed({ terminal, signal }: Run, yes: boolean, question: string): Promise<void> {
  if (yes) return;
  if (!terminal.asks) throw failure("invalid", `${question} Nobody is here to ask: say --yes`);
  if (!(await terminal.confirm(question, signal)))
    throw failure("cancelled", "not confirmed: nothing was done");
}
