import type { Command } from "commander";
import { GetNodeResponseSchema } from "../../gen/edge/v1/node_pb.ts";
import { failure } from "../base/failure.ts";
import { systemCode } from "../base/system-code.ts";
import { answer } from "./answer.ts";
import { withDoor } from "./door.ts";
import { listenerOf } from "./listener.ts";
import { describeNode } from "./node-tell.ts";
import { findPlace } from "./place.ts";
import type { Run } from "./run.ts";

/** How long a daemon may take to end when `--timeout` does not say, in milliseconds. */
const stopTimeoutMs = 30_000;
const lookAgainMs = 50;

/** `orchestrator daemon ...`, but for `start` and `enroll`, which are the daemon's own. */
export function defineDaemon(noun: Command, run: Run): void {
  noun
    .command("status")
    .description("what the daemon of this machine says of itself")
    .action(() => {
      const local = localRun(run);
      return withDoor(local, async (door) => {
        const response = await door.ask("getNode", {});
        answer(run, GetNodeResponseSchema, response, () => describeNode(response, run.clock.now()));
      });
    });

  noun
    .command("stop")
    .description("stop the daemon of this machine; its runtimes go on")
    .action(() => stop(localRun(run)));
}

/** Finds who listens on the local socket: so that no file has to be believed that says which process it was. */
async function stop(run: Run): Promise<void> {
  const { flags, terminal, clock, signal } = run;
  const { where } = await findPlace(run);
  const listener = await listenerOf(where);
  if (listener === undefined) {
    terminal.out("no daemon runs here\n");
    return;
  }
  if (listener.unit !== undefined) {
    throw failure("conflict", `the daemon is run by systemd: use \`systemctl stop ${listener.unit}\``);
  }
  end(listener.pid);
  const limitMs = flags.timeout ?? stopTimeoutMs;
  const begin = clock.elapsed();
  while ((await listenerOf(where))?.pid === listener.pid || isAlive(listener.pid)) {
    if (clock.elapsed() - begin > limitMs) {
      throw failure("deadline", `the daemon (process ${listener.pid}) was asked to end and still runs`);
    }
    await clock.sleep(lookAgainMs, signal);
  }
  terminal.out("the daemon is stopped; its runtimes go on\n");
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch (cause) {
    if (isAlive(pid))
      throw failure("denied", `this user may not stop the daemon (process ${pid})`, { cause });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return systemCode(thrown) === "EPERM";
  }
}

function localRun(run: Run): Run {
  return { ...run, flags: { ...run.flags, local: true } };
}
