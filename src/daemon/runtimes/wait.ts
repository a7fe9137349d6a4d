import { asFailure, type Failure, failure } from "../../base/failure.ts";
import type { Ask } from "../work/index.ts";
import type { Loop } from "./loop.ts";
import type { Tended } from "./tended.ts";
import { isWorthAnother } from "./trouble.ts";

type Waiting = Pick<Ask, "signal" | "progress">;

/**
 * Waits until `look` finds something; it looks whenever the loop changed something. Whoever waits is told the progress.
 * @throws {Failure} what `look` throws, or why it was called off: when the time ran out, the trouble that it waited for.
 */
export async function waitFor<T>(
  loop: Loop,
  name: string,
  { signal, progress }: Waiting,
  look: (tended: Tended) => T | undefined,
): Promise<T> {
  const tended = loop.tended(name);
  tended.tellers.add(progress);
  try {
    for await (const _ of loop.changes.wakes(signal)) {
      const found = look(tended);
      if (found !== undefined) return found;
      const trouble = troubleOf(loop, tended);
      if (trouble && !tended.isBusy) progress(`trying again: ${trouble.message}`);
    }
    throw calledOff(loop, name, signal);
  } finally {
    tended.tellers.delete(progress);
  }
}

/**
 * Asks for a round and waits until a runtime is as wished.
 * @throws {Failure} why it cannot be: what may pass is waited for.
 */
export async function settled(loop: Loop, name: string, ask: Waiting): Promise<void> {
  const number = loop.ask(name);
  await waitFor(loop, name, ask, (tended) => isSettled(tended, number) || undefined);
}

/** Why a command was called off: when its time ran out, the trouble that it waited for. */
export function calledOff(loop: Loop, name: string, { reason }: AbortSignal): Failure {
  return whyCalledOff(asFailure(reason), troubleOf(loop, loop.tended(name)));
}

/** Whether the round of this number was answered and all is as wished. @throws {Failure} why it cannot be. */
export function isSettled({ answered, problem, failures }: Tended, number: number): boolean {
  if (answered < number) return false;
  if (problem && !isWorthAnother(problem, failures - 1)) throw problem;
  return problem === undefined;
}

/** What keeps a runtime from being as wished, if anything is known. */
function troubleOf({ engine }: Loop, { problem }: Tended): Failure | undefined {
  return engine.at === "away" ? engine.problem : problem;
}

/** Why a command was called off: when its time ran out, the trouble that it waited for. */
export function whyCalledOff(reason: Failure, trouble: Failure | undefined): Failure {
  if (reason.kind !== "deadline" || !trouble) return reason;
  return failure(trouble.kind, `${trouble.message}; it stayed so until the command's time ran out`);
}
