import type { Command } from "commander";
import { GetTaskResponseSchema, ListTasksResponseSchema, TaskState } from "../../gen/edge/v1/tasks_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import { answer } from "./answer.ts";
import { printBytes } from "./bytes.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import { checked, whole } from "./flags.ts";
import type { Run } from "./run.ts";
import { withNode } from "./target.ts";
import { defineExecute } from "./task-execute.ts";
import { defineTaskLogs } from "./task-logs.ts";
import { describeTask, stateInWords, tableOfTasks } from "./task-tell.ts";
import { asked, outputOf } from "./task-watch.ts";

const states = {
  ...{ queued: TaskState.QUEUED, starting: TaskState.STARTING, running: TaskState.RUNNING },
  ...{ stopping: TaskState.STOPPING, succeeded: TaskState.SUCCEEDED, failed: TaskState.FAILED },
  ...{ cancelled: TaskState.CANCELLED, timed_out: TaskState.TIMED_OUT },
} as const;

interface ListFlags {
  agent: string;
  state: TaskState[];
  parent: string;
  limit: number;
  before: string;
  quiet: boolean;
}

/** `orchestrator task ...` */
export function defineTask(noun: Command, run: Run): void {
  defineExecute(noun, run);
  defineTaskLogs(noun, run);

  noun
    .command("list")
    .description("the tasks of a node, newest first")
    .option("--agent <agent>", "only those of this agent", "")
    .option(
      "--state <states>",
      `only those in one of these states: ${Object.keys(states).join(", ")}`,
      checked(parseStates),
      [],
    )
    .option("--parent <task>", "only those below this one", "")
    .option("--limit <count>", "at most this many", whole(1, 1000), 20)
    .option("--before <task>", "only those that are older than this one", "")
    .option("-q, --quiet", "print ids only, one a line", false)
    .addHelpText("after", "\nExample: orchestrator task list --agent greeter --state running,queued")
    .action(({ agent, state, parent, limit, before, quiet }: ListFlags) =>
      withNode(run, async (door, target) => {
        const request = { agent, states: state, parentId: parent, limit, beforeId: before };
        const response = await door.ask("listTasks", request, { nodeId: target?.id });
        const { tasks } = response;
        answer(run, ListTasksResponseSchema, response, () => {
          if (quiet) return tasks.map(({ id }) => `${id}\n`).join("");
          return tasks.length === 0 ? "no tasks\n" : tableOfTasks(tasks, run.terminal, run.clock.now());
        });
      }),
    );

  noun
    .command("get <task>")
    .description("one task, with everything that is known of it; the beginning of an id will do")
    .option("--output", "print what it answered, as it is, and nothing else", false)
    .addHelpText("after", "\nExample: orchestrator task get cmd-5647dafe --output > answer.json")
    .action((id: string, { output }: { output: boolean }) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("getTask", asked(id), { nodeId: target?.id });
        const { task } = response;
        if (output && task) response.output = await outputOf(door, target, task);
        if (!output || run.flags.json) {
          return answer(run, GetTaskResponseSchema, response, () => describeTask(task));
        }
        printBytes(run.terminal, response.output, "send them into a file or a pipe");
      }),
    );

  waiting(noun.command("cancel <task>"))
    .description(
      "cancel a task and all below it, and wait until they have ended; a finished one stays as it is",
    )
    .option("--reason <text>", "why, for others", "")
    .action((id: string, { wait, reason }: WaitFlag & { reason: string }) =>
      withNode(run, async (door, target) => {
        await change(run, door, target, "cancelTask", { id, reason }, wait, ({ task, cancelled }) => {
          const said = task ? stateInWords(task) : "gone";
          if (cancelled === 0) return `task ${task?.id ?? id} was finished before: ${said}\n`;
          return `task ${task?.id ?? id} ${said}${cancelled > 1 ? `; ${cancelled} were cancelled in all` : ""}\n`;
        });
      }),
    );
}

function parseStates(text: string): TaskState[] {
  return text.split(",").map((one) => {
    const found = Object.entries(states).find(
      ([name]) => name === one.trim().toLowerCase().replaceAll("-", "_"),
    );
    if (found) return found[1];
    throw failure("invalid", `${evidence(one)} is no state; there are ${Object.keys(states).join(", ")}`);
  });
}
