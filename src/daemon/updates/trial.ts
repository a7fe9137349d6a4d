import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { Clock } from "../../base/clock.ts";
import { readKept, writeKept } from "./kept.ts";
import { endOf } from "./plan.ts";
import { commandOf, folderOf } from "./program.ts";

/** Of util-linux, which a machine has that runs systemd or netmon. */
const setpriv = "/usr/bin/setpriv";

/** How long a version that was tried may take to end, in milliseconds; after that it is killed. */
const endMs = 15_000;

/**
 * Runs another version of the daemon in place of this one, which has closed everything, until it proved itself, ended, or its
 * probation is over. It has ended in any case when this resolves.
 * @returns why it is withdrawn; empty when it proved itself.
 */
export async function tryProgram(
  folder: string,
  probationMs: number,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<string> {
  const [node, args] = commandOf(folder);
  // A daemon ends when the channel closes. One that hangs does not: where the system can, it kills what its guard leaves behind.
  const guarded: [program: string, words: string[]] = existsSync(setpriv)
    ? [setpriv, ["--pdeathsig", "KILL", node, ...args]]
    : [node, args];
  const child = spawn(...guarded, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const over = new AbortController();
  try {
    return await Promise.race([
      once(child, "message").then(() => ""),
      once(child, "exit").then(([code, name]) => `it ended with ${String(name ?? code)}`),
      once(child, "error").then(([error]) => `it was not started: ${String(error)}`),
      clock
        .sleep(probationMs, AbortSignal.any([signal, over.signal]))
        .then(() => `it did not prove itself within ${probationMs} ms`),
    ]);
  } finally {
    over.abort();
    await ended(child, clock);
  }
}

/**
 * What became of a trial, by what is on disk: whoever was tried has written there that it is kept, or it is withdrawn now.
 * @returns the folder of what is kept; undefined when the present version goes on.
 */
export async function afterTrial(dataDir: string, reason: string, now: number): Promise<string | undefined> {
  const { trial, ...kept } = readKept(dataDir);
  if (!trial) return kept.current && folderOf(dataDir, kept.current);
  await writeKept(dataDir, { ...kept, last: endOf(trial, reason, now) });
  return undefined;
}

async function ended(child: ChildProcess, clock: Clock): Promise<void> {
  const isOver = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  if (isOver()) return;
  child.kill("SIGTERM");
  const patience = new AbortController();
  const late = clock.sleep(endMs, patience.signal).then(
    () => child.kill("SIGKILL"),
    () => {},
  );
  await once(child, "exit");
  patience.abort();
  await late;
}
