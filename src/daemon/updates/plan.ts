import type { Kept } from "./kept.ts";

/** A version that was started so often and never stayed up is not started again. */
const mostStarts = 5;

/** Which program a node runs: what is installed, or one that it keeps; and what there is to remember of that. */
export interface Launch {
  runs: "installed" | "current";
  kept: Kept;
}

/**
 * What starts, as the installed daemon decides it before it opens anything. A trial that was not over when everything ended proved
 * nothing, so it is withdrawn.
 */
export function launchOf(before: Kept, installedVersion: string, now: number): Launch {
  const { current, trial, ...rest } = before;
  const kept: Kept = { ...rest };
  if (trial) kept.last = endOf(trial, "the machine or the daemon ended while it was tried", now);
  if (!current) return { runs: "installed", kept };
  if (current.installedVersion !== installedVersion) {
    const reason = `version ${installedVersion} was installed in its place`;
    return { runs: "installed", kept: { ...kept, last: withdrawn(current, installedVersion, reason, now) } };
  }
  if (current.starts >= mostStarts) {
    const reason = `it was started ${current.starts} times and never stayed up`;
    return { runs: "installed", kept: { ...kept, last: withdrawn(current, installedVersion, reason, now) } };
  }
  return { runs: "current", kept: { ...kept, current: { ...current, starts: current.starts + 1 } } };
}

/** How a trial ended, to be remembered; an empty reason says that its program is kept. */
export function endOf(
  trial: NonNullable<Kept["trial"]>,
  reason: string,
  at: number,
): NonNullable<Kept["last"]> {
  const { version, fromVersion, commandId } = trial;
  return { version, fromVersion, commandId, reason, at, isTold: false };
}

/** A version that was kept and goes now: what is installed runs in its place. */
function withdrawn(
  { version }: NonNullable<Kept["current"]>,
  installedVersion: string,
  reason: string,
  at: number,
): NonNullable<Kept["last"]> {
  return { version, fromVersion: installedVersion, commandId: "", reason, at, isTold: false };
}

/** What a version on probation has seen so far. */
export interface Seen {
  hubLetIn: boolean;
  /** Runtimes that run, as this version sees them. */
  running: readonly string[];
}

/** What a version on probation still has to see; empty when it has proved itself. */
export function lacking(
  { needsHub, ran }: Pick<NonNullable<Kept["trial"]>, "needsHub" | "ran">,
  seen: Seen,
): string {
  const unseen = ran.filter((name) => !seen.running.includes(name));
  const lacks = [
    ...(needsHub && !seen.hubLetIn ? ["the hub did not let it in"] : []),
    ...(unseen.length > 0 ? [`it did not see running: ${unseen.join(", ")}`] : []),
  ];
  return lacks.join("; ");
}
