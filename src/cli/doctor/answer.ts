import { errorChain, Failure } from "../../base/failure.ts";
import { systemCode } from "../../base/system-code.ts";

/** What was asked, or the sentence that says why it has no answer. */
export type Answer<T> = { is: "known"; value: T } | { is: "unknown"; problem: string; isDenied?: true };

/** Why something has no answer, in the words of who failed: a program's last complaint, else the error's own. */
export function problemOf(thrown: unknown): string {
  const stderr = thrown instanceof Error && "stderr" in thrown ? String(thrown.stderr).trim() : "";
  const lastLine = stderr.split("\n").at(-1);
  if (lastLine) return lastLine;
  return thrown instanceof Failure ? thrown.message : errorChain(thrown);
}

/** What a look finds, and at the latest after `limitMs` an answer: one thing that hangs keeps no other from being seen. */
export async function answerOf<T>(
  limitMs: number,
  signal: AbortSignal,
  look: (signal: AbortSignal) => Promise<T>,
): Promise<Answer<T>> {
  const ended = Promise.withResolvers<Answer<T>>();
  const problem = `there was no answer in ${limitMs / 1000} s`;
  const timer = setTimeout(() => ended.resolve({ is: "unknown", problem }), limitMs);
  const stop = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
  try {
    const found = look(stop).then(
      (value): Answer<T> => ({ is: "known", value }),
      (thrown: unknown): Answer<T> => ({
        ...{ is: "unknown", problem: stop.aborted && !signal.aborted ? problem : problemOf(thrown) },
        ...(isDenial(thrown) && { isDenied: true }),
      }),
    );
    return await Promise.race([found, ended.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether it was this user who could not look. */
function isDenial(thrown: unknown): boolean {
  if (thrown instanceof Failure) return thrown.kind === "denied";
  return ["EACCES", "EPERM"].includes(systemCode(thrown));
}
