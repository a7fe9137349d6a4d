import { spawn } from "node:child_process";
import { once } from "node:events";
import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { asUnavailable } from "./ip.ts";

export interface WatchOptions {
  /** Called whenever the network may have changed. Must be cheap: one cable makes a dozen notices. */
  notice: () => void;
  clock: Clock;
  log: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** It must not outlive netmon, which may be killed: where nothing happens it would never notice that nobody reads it. */
const monitor = ["--pdeathsig", "KILL", "ip", "-o", "-t", "monitor", "link", "address", "route"];

/** How setpriv ends when there is no ip. */
const noProgram = 127;
/** Longest pauses before it is started again; one that ran for a while begins anew with the shortest. */
const pauseMs = { firstMs: 200, lastMs: 10_000 };
const stableMs = 10_000;
/** It needs a moment to listen. What changed in it is seen by a look afterwards, in milliseconds. */
const listensAfterMs = 1_000;

/**
 * Listens to the kernel's notices until the signal is aborted. They are taken as "look again" and never as what changed: an
 * overrun loses some, and a link that goes down takes its IPv4 routes along without one.
 */
export async function watchKernel(
  { notice, clock, log, random }: WatchOptions,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    const startedAt = clock.elapsed();
    const error = await listen({ notice, clock, log }, signal);
    if (signal.aborted) return;
    notice(); // Whatever comes until it listens again.
    log.warn({ error }, "the kernel's notices ended and are listened to again");
    if (clock.elapsed() - startedAt >= stableMs) attempt = 1;
    await clock.sleep(backoffMs(attempt, { ...pauseMs, random }), signal);
  }
}

/** Resolves with why it ended. */
async function listen(
  { notice, clock, log }: Omit<WatchOptions, "random">,
  signal: AbortSignal,
): Promise<unknown> {
  const asked = `setpriv ${monitor.join(" ")}`;
  const child = spawn("setpriv", monitor, { stdio: ["ignore", "pipe", "pipe"] });
  const stop = new AbortController();
  const kill = () => void child.kill();
  signal.addEventListener("abort", kill, { once: true });
  child.stdout.on("data", notice);
  child.stderr.on("data", (text: Buffer) => {
    // An overrun: the kernel dropped notices, and goes on with the next one.
    log.warn({ said: text.toString().trim() }, "notices of the kernel were lost: looking again");
    notice();
  });
  clock.sleep(listensAfterMs, stop.signal).then(notice, () => {}); // It ended before.
  try {
    await once(child, "close");
    const ended = new Error(`exit ${child.exitCode ?? child.signalCode}`);
    return asUnavailable(
      child.exitCode === noProgram ? Object.assign(ended, { code: "ENOENT" }) : ended,
      asked,
    );
  } catch (thrown) {
    return asUnavailable(thrown, asked, "setpriv");
  } finally {
    stop.abort();
    signal.removeEventListener("abort", kill);
  }
}
