import { create } from "@bufbuild/protobuf";
import { type Command, Option } from "commander";
import {
  ExecuteTaskRequestSchema,
  ExecuteTaskResponseSchema,
  type Task,
  TaskPriority,
  TaskState,
} from "../../gen/edge/v1/tasks_pb.ts";
import { failure } from "../base/failure.ts";
import { validate } from "../wire/validation.ts";
import { answer } from "./answer.ts";
import { printBytes } from "./bytes.ts";
import { carryOut } from "./carry-out.ts";
import { tellSubmitted } from "./change.ts";
import { Spoken } from "./complain.ts";
import type { Door } from "./door.ts";
import { collect, duration, whole } from "./flags.ts";
import { type LabelText, parseLabel } from "./labels.ts";
import { readPayload } from "./payload.ts";
import { ProgressLine } from "./progress.ts";
import type { Run } from "./run.ts";
import { type Target, withNode } from "./target.ts";
import { stateInWords } from "./task-tell.ts";
import { isFinal, outputOf, watchTask } from "./task-watch.ts";

/** As much as a command carries of it: `ExecuteTaskRequest.input` says the same. */
const maxInputBytes = 512 << 10;

const priorities = {
  low: TaskPriority.LOW,
  normal: TaskPriority.NORMAL,
  high: TaskPriority.HIGH,
  critical: TaskPriority.CRITICAL,
} as const;

/** Exit codes of `--wait` for a task that did not succeed; all others say that it could not be asked for or waited for. */
export const taskExits: Readonly<Partial<Record<TaskState, number>>> = {
  [TaskState.FAILED]: 20,
  [TaskState.CANCELLED]: 21,
  [TaskState.TIMED_OUT]: 22,
};

interface ExecuteFlags {
  input?: string;
  inputFile?: string;
  /** Unset: until the node has it. False: not even that. */
  wait?: boolean;
  priority: keyof typeof priorities;
  after: string[];
  label: LabelText[];
  agentVersion?: number;
  wallTime?: number;
}

/** `orchestrator task execute` */
export function defineExecute(noun: Command, run: Run): void {
  noun
    .command("execute <agent>")
    .description("execute an agent: print the id of its task, or with --wait what it answers")
    .option("--input <text>", "what it is given on its standard input")
    .option("--input-file <path>", "the same from a file, or - for what is piped in")
    .option("--wait", "wait until it is finished, print its output as it is, and exit as it ended")
    .option("--no-wait", "do not even wait for the node: leave the command in its queue")
    .addOption(
      new Option("--priority <priority>", "a more urgent task goes first; among equals agents take turns")
        .choices(Object.keys(priorities))
        .default("normal"),
    )
    .option("--after <task>", "begin when this task has succeeded; may be given often", collect(String), [])
    .option("--label <key=value>", "label of the task; may be given often", collect(parseLabel), [])
    .option(
      "--agent-version <version>",
      "a version of the agent other than its current one (also --version)",
      whole(1, 999_999_999),
    )
    .option(
      "--wall-time <duration>",
      "the longest that one attempt may take; at most the agent's own",
      duration,
    )
    .addHelpText(
      "after",
      `\nExamples:
  orchestrator task execute greeter --input Ada --wait
  orchestrator task execute thumbnail --input-file - --wait < photo.jpg > small.jpg`,
    )
    .action(async (agent: string, flags: ExecuteFlags) => {
      const request = await requestOf(agent, flags, run);
      await withNode(run, (door, target) => execute(run, door, target, { request, wait: flags.wait }));
    });
}

async function requestOf(agent: string, flags: ExecuteFlags, run: Run) {
  const { priority, after, label, agentVersion = 0, wallTime = 0 } = flags;
  const request = create(ExecuteTaskRequestSchema, {
    ...{ agent, version: agentVersion, input: await inputOf(flags, run), priority: priorities[priority] },
    ...{ after, wallTimeMs: wallTime, labels: label },
  });
  validate(ExecuteTaskRequestSchema, request); // The same rules as at the node, before anything travels.
  return request;
}

async function inputOf({ input, inputFile }: ExecuteFlags, run: Run): Promise<Uint8Array> {
  if (inputFile === undefined) return Buffer.from(input ?? "");
  if (input !== undefined)
    throw failure("invalid", "it has one input: say --input or --input-file, not both");
  if (inputFile === "-") return await run.terminal.input(maxInputBytes, run.signal);
  return await readPayload(inputFile, { cwd: run.cwd, maxBytes: maxInputBytes });
}

async function execute(
  run: Run,
  door: Door,
  target: Target,
  { request, wait }: { request: Awaited<ReturnType<typeof requestOf>>; wait: boolean | undefined },
): Promise<void> {
  const outcome = await carryOut(run, door, target, "executeTask", request, { wait: wait !== false });
  if (outcome.is === "submitted") return tellSubmitted(run, target, outcome.command);
  const { task } = outcome.response;
  if (!task) throw failure("internal", "the node told no task");
  if (wait !== true) return answer(run, ExecuteTaskResponseSchema, outcome.response, () => `${task.id}\n`);
  const { ended, output } = await atItsEnd(run, door, target, task.id);
  if (run.flags.json) {
    const response = create(ExecuteTaskResponseSchema, { task: ended, output });
    answer(run, ExecuteTaskResponseSchema, response, () => "");
  } else printBytes(run.terminal, output, `put them into a file: task get ${ended.id} --output > FILE`);
  if (ended.outputCut && !run.flags.json)
    run.terminal.err("it answered more than it may: the rest was dropped\n");
  if (ended.state === TaskState.SUCCEEDED) return;
  run.terminal.err(`task ${ended.id} ${stateInWords(ended)}\n`);
  throw new Spoken(taskExits[ended.state]);
}

/** A task at its end, and what it answered; until then where it is stands on standard error. */
async function atItsEnd(
  run: Run,
  door: Door,
  target: Target,
  id: string,
): Promise<{ ended: Task; output: Uint8Array }> {
  let output: Uint8Array = new Uint8Array();
  using line = new ProgressLine(run);
  const ended = await watchTask(run, door, target, { id, wasThere: true }, async (task) => {
    // Its end is told when its output has been.
    if (isFinal(task)) output = await outputOf(door, target, task);
    else line.show(`task ${id} ${stateInWords(task)} ...`, `task ${id} ${stateInWords(task)}`);
  });
  return { ended, output };
}
