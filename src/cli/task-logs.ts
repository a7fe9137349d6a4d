import type { Command } from "commander";
import { type LogLine, LogLineSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { GetTaskLogsResponseSchema } from "../../gen/edge/v1/tasks_pb.ts";
import { answer, answerLine } from "./answer.ts";
import type { Door } from "./door.ts";
import { whole } from "./flags.ts";
import { linesForPeople, type StreamFlags, streamOf } from "./log-lines.ts";
import type { Run } from "./run.ts";
import { type Target, withNode } from "./target.ts";
import { watchTask } from "./task-watch.ts";

/** Flags that choose among the lines of a task. */
export interface TaskLogFlags extends StreamFlags {
  tail: number;
  grep: string;
  timestamps: boolean;
}

/** As many lines as an answer may hold: what is followed must not be missed. */
const mostLines = 10_000;

/** `orchestrator task logs` */
export function defineTaskLogs(noun: Command, run: Run): void {
  withLogFlags(noun.command("logs <task>"))
    .description("the newest lines that a task wrote, oldest first; also when it is finished")
    .option("--follow", "print what comes until the task is finished", false)
    .addHelpText("after", "\nExample: orchestrator task logs cmd-5647dafe --follow --grep error")
    .action((id: string, flags: TaskLogFlags & { follow: boolean }) =>
      withNode(run, async (door, target) => {
        if (flags.follow) await follow(run, door, target, id, flags);
        else await printTaskLog(run, door, target, id, flags);
      }),
    );
}

/** Gives a verb the flags that choose among lines. */
export function withLogFlags(command: Command): Command {
  return command
    .option("--tail <count>", "at most this many", whole(1, mostLines), 100)
    .option("--grep <text>", "only lines that contain this text", "")
    .option("--stdout", "only standard output", false)
    .option("--stderr", "only standard error", false)
    .option("--timestamps", "print when each line was written", false);
}

/** Prints the newest lines of a task. */
export async function printTaskLog(
  run: Run,
  door: Door,
  target: Target,
  id: string,
  flags: TaskLogFlags,
): Promise<void> {
  const response = await ask(door, target, id, flags);
  const { lines, leftOut } = response;
  answer(run, GetTaskLogsResponseSchema, response, () => linesForPeople(lines, flags.timestamps));
  if (run.flags.json) return;
  if (lines.length === 0) run.terminal.err("no lines\n");
  // Of more lines than were asked for, nobody expects all.
  if (leftOut && lines.length < flags.tail)
    run.terminal.err("older lines were dropped: the log has its limits\n");
}

async function follow(run: Run, door: Door, target: Target, id: string, flags: TaskLogFlags): Promise<void> {
  let before: readonly LogLine[] | undefined;
  await watchTask(run, door, target, { id, wasThere: false }, async () => {
    const { lines } = await ask(door, target, id, { ...flags, tail: mostLines });
    const fresh = before === undefined ? lines.slice(-flags.tail) : linesAfter(before, lines);
    before = lines;
    if (run.flags.json) for (const line of fresh) answerLine(run, LogLineSchema, line, () => "");
    else run.terminal.out(linesForPeople(fresh, flags.timestamps));
  });
}

/**
 * What came since a look: the log now, without what was seen, whose oldest lines may have been dropped meanwhile. Nothing else
 * tells lines apart that say the same at the same moment.
 */
function linesAfter(before: readonly LogLine[], now: readonly LogLine[]): readonly LogLine[] {
  const dropped = before.findIndex((_, at) => isBeginning(before.slice(at), now));
  return dropped < 0 ? now : now.slice(before.length - dropped);
}

function isBeginning(lines: readonly LogLine[], of: readonly LogLine[]): boolean {
  return lines.every((line, at) => {
    const other = of[at];
    return (
      other?.text === line.text &&
      other.stream === line.stream &&
      other.at?.seconds === line.at?.seconds &&
      other.at?.nanos === line.at?.nanos
    );
  });
}

async function ask(door: Door, target: Target, id: string, flags: TaskLogFlags) {
  const request = { id, tailLines: flags.tail, grep: flags.grep, stream: streamOf(flags) };
  return await door.ask("getTaskLogs", request, { nodeId: target?.id });
}
