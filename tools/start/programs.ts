import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { checkout, place } from "./place.ts";
import { end, processes, type Running } from "./processes.ts";
import { type Say, Trouble } from "./say.ts";

const program = join(checkout, "dist/orchestrator.js");

/** A program may take this long to answer, on a busy machine; alone it takes 0.3 s. */
const startMs = 30_000;
/** Longer than a daemon takes to end what it is doing. */
const stopMs = 20_000;

/** A program that runs until it is stopped, or ends by itself. */
export interface Program extends AsyncDisposable {
  name: "hub" | "daemon" | "netmon";
  /** Resolves with a sentence when it ends without being asked to. */
  ended: Promise<string>;
}

/** Starts `orchestrator <name> start`, and waits until `answers` does not throw. @throws {Trouble} with its last words. */
export async function startProgram(
  name: Program["name"],
  answers: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<Program> {
  const words = ["--config", place.settings, "--log-file", place.log(name)];
  const child = spawn(process.execPath, [program, name, "start", ...words], {
    cwd: checkout,
    // Ctrl-C is for us, and we ask the programs to end, once.
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (text: Buffer) => {
    complaint = (complaint + text.toString()).slice(-2000);
  });
  const ended = once(child, "exit").then(
    () => `the ${name} ended: ${complaint.trim() || `see ${place.log(name)}`}`,
  );
  const running: Program = { name, ended, [Symbol.asyncDispose]: () => stop(child) };
  try {
    await untilAnswering(name, answers, child, signal);
    return running;
  } catch (thrown) {
    await stop(child);
    if (child.exitCode !== null && thrown instanceof Trouble) throw new Trouble(await ended);
    throw thrown;
  }
}

/** Starts netmon. It attaches nothing to a NIC of this machine that no runtime names; without root, it only sees. */
export function startNetmon(signal: AbortSignal): Promise<Program> {
  return startProgram("netmon", () => orchestrator(["network", "watch", "--no-follow", "--json"]), signal);
}

/** Runs `orchestrator <args>` to its end; `say` gets what it tells on the way. @throws {Trouble} as which it failed. */
export async function orchestrator(
  args: string[],
  { input = "", say = () => {}, signal }: { input?: string; say?: Say; signal?: AbortSignal } = {},
): Promise<string> {
  const words = [program, ...args, "--config", place.settings];
  const child = spawn(process.execPath, words, { cwd: checkout, detached: true, ...(signal && { signal }) });
  child.stdin.end(input);
  const complaints: string[] = [];
  let last = "";
  const [out, code] = await Promise.all([
    text(child.stdout),
    once(child, "close").then(() => child.exitCode),
    (async () => {
      for await (const line of createInterface(child.stderr)) {
        if (complaints.length > 0 || line.startsWith("error: ") || line.startsWith("orchestrator "))
          complaints.push(line);
        else say(line);
        last = line;
      }
    })(),
  ]).catch((thrown: unknown) => {
    signal?.throwIfAborted();
    throw thrown;
  });
  if (code === 0) return out;
  throw new Trouble(complaints.join("\n").replace(/^error: /, "") || last);
}

/** Programs of this checkout that an npm start which was killed left behind. */
export async function leftPrograms(): Promise<Running[]> {
  return (await processes()).filter(({ words }) => words[1] === program && words[3] === "start");
}

/** Ends them. */
export async function endLeftPrograms(): Promise<void> {
  for (const { pid } of await leftPrograms()) await end(pid, stopMs);
}

/** The other npm start of this checkout, if one runs. */
export async function otherStart(): Promise<number | undefined> {
  const all = await processes();
  return all.find(
    ({ words, folder }) => folder === checkout && words.some((word) => word.endsWith("tools/start.ts")),
  )?.pid;
}

async function untilAnswering(
  name: string,
  answers: () => Promise<unknown>,
  child: ChildProcess,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + startMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      await answers();
      return;
    } catch (thrown) {
      const isGone = child.exitCode !== null || child.signalCode !== null;
      if (isGone || performance.now() > deadline) {
        const why = thrown instanceof Error ? thrown.message : String(thrown);
        throw new Trouble(`the ${name} does not answer (${why}); its log is ${place.log(name)}`);
      }
      await sleep(100);
    }
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
    await end(child.pid, stopMs);
}
