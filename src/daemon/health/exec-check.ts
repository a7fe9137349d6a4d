import { addAbortListener } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import type Docker from "dockerode";
import { type Engine, withoutFrames } from "../engine/index.ts";
import type { Answer } from "./health.ts";

/** As much of a check's output as is told, in bytes. The rest is read and dropped. */
const toldBytes = 512;
/** What the engine may take beside the program, in milliseconds. */
const engineMs = 10_000;
/** How long a check may take to end when it is killed, and how often it is looked whether it has, in milliseconds. */
const killMs = 2000;
const pauseMs = 20;

/** Checks of one container. */
export interface ExecCheck {
  command: readonly string[];
  timeoutMs: number;
}

/**
 * Checks a container by running a program inside it. Each is over when the next begins: one that takes longer than its time is
 * killed, and while one cannot be killed there is no other.
 */
export function execChecker(engine: Engine, container: string, { command, timeoutMs }: ExecCheck) {
  const what = `\`${command.join(" ")}\``;
  let stuck: Docker.Exec | undefined;

  const inspect = (exec: Docker.Exec, signal: AbortSignal) =>
    engine.call("look at a check", signal, (_, abortSignal) => exec.inspect({ abortSignal }), engineMs);

  /** @throws {Failure} the engine could not be asked, which says nothing about the program. */
  return async (signal: AbortSignal): Promise<Answer> => {
    if (stuck && (await inspect(stuck, signal)).Running) {
      return { isWell: false, said: `${what} of before still runs, and cannot be killed` };
    }
    stuck = undefined;
    const options = { Cmd: [...command], AttachStdout: true, AttachStderr: true };
    const exec = await engine.call("prepare a check", signal, (docker, abortSignal) =>
      docker.getContainer(container).exec({ ...options, abortSignal }),
    );
    const late = AbortSignal.timeout(timeoutMs);
    const stop = AbortSignal.any([signal, late]);
    const output: Buffer[] = [];
    try {
      const read = (_: Docker, abortSignal: AbortSignal) => readTo(output, exec, abortSignal);
      await engine.call("run a check", stop, read, timeoutMs + engineMs);
    } catch (thrown) {
      if (signal.aborted) await end(() => inspect(exec, AbortSignal.timeout(engineMs))).catch(() => {});
      signal.throwIfAborted();
      if (!late.aborted) throw thrown;
      const isKilled = await end(() => inspect(exec, signal));
      if (!isKilled) stuck = exec;
      const left = isKilled ? "and was killed" : "and could not be killed";
      return { isWell: false, said: `${what} took longer than ${timeoutMs} ms ${left}` };
    }
    const { ExitCode } = await inspect(exec, signal);
    const said = textOf(output);
    const ended = `${what} ended with ${ExitCode ?? "no exit code"}`;
    return { isWell: ExitCode === 0, said: said === "" ? ended : `${ended}: ${said}` };
  };
}

async function readTo(output: Buffer[], exec: Docker.Exec, abortSignal: AbortSignal): Promise<void> {
  const stream = await exec.start({ abortSignal });
  using _cut = addAbortListener(abortSignal, () => void stream.destroy());
  let kept = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk as Buffer); // No encoding was set.
    if (kept < toldBytes) output.push(bytes);
    kept += bytes.length;
  }
}

function textOf(output: readonly Buffer[]): string {
  return withoutFrames(Buffer.concat(output))
    .replace(/\p{C}+/gu, " ")
    .trim()
    .slice(0, toldBytes);
}

/** Kills a check until the engine says that it has ended; false if it does not end. One that is only being started has no process yet. */
async function end(look: () => Promise<Docker.ExecInspectInfo>): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < killMs; waitedMs += pauseMs) {
    const now = await look();
    if (!now.Running) return true;
    await kill(now);
    await setTimeout(pauseMs);
  }
  return false;
}

/**
 * Kills a check and what it started: the engine has no call for that. Only a process that is this container's, by its cgroup;
 * the engine gives each check a group of its own.
 */
async function kill({ Pid: pid, ContainerID: container }: Docker.ExecInspectInfo): Promise<void> {
  try {
    const [cgroup, stat] = await Promise.all([
      readFile(`/proc/${pid}/cgroup`, "utf8"),
      readFile(`/proc/${pid}/stat`, "utf8"),
    ]);
    if (!cgroup.includes(container)) return;
    // The third after the name, which stands in parentheses (proc(5)).
    const group = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]);
    process.kill(group === pid ? -pid : pid, "SIGKILL");
  } catch {
    // It has ended, or the daemon does not see it, or may not: the engine says which.
  }
}
