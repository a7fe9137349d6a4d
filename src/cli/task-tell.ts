import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Task, TaskPriority, TaskState } from "../../gen/edge/v1/tasks_pb.ts";
import { formatBytes, formatDuration } from "../base/quantity.ts";
import { ago, moment, word } from "./answer.ts";
import { formatLabels } from "./labels.ts";
import { printable, sheet, table } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Tasks as a table for people. */
export function tableOfTasks(tasks: readonly Task[], { style, columns }: Terminal, now: number): string {
  const paint = (cell: string) => {
    if (/^succeeded/.test(cell)) return style.good(cell);
    return /^(failed|timed out)/.test(cell) ? style.bad(cell) : cell;
  };
  return table(
    [
      ...[{ title: "ID" }, { title: "AGENT" }, { title: "STATE", paint }, { title: "AGE" }, { title: "RAN" }],
      ...[{ title: "BY" }, { title: "REASON" }],
    ],
    tasks.map((task) => [
      ...[task.id, task.agent, word(TaskState, task.state), ago(task.queuedAt, now), ranFor(task, now)],
      ...[task.actor, task.reason],
    ]),
    { columns, bold: style.bold },
  );
}

/** How long its program ran in all; while it runs, since it was started. */
function ranFor({ usage, startedAt, state }: Task, now: number): string {
  if (state === TaskState.RUNNING && startedAt) return formatDuration(now - timestampMs(startedAt));
  return usage && usage.runMs > 0n ? formatDuration(Number(usage.runMs)) : "";
}

/** One task for people, with everything that is known of it. */
export function describeTask(task: Task | undefined): string {
  if (!task) return "";
  const { usage, depth } = task;
  const tree = depth === 0 ? "" : `${task.parentId}, ${depth} below ${task.rootId}`;
  return sheet([
    ["id", task.id],
    ["agent", `${task.agent}, version ${task.agentVersion}`],
    ["state", word(TaskState, task.state)],
    ["reason", task.reason],
    ["priority", word(TaskPriority, task.priority)],
    ["by", task.actor],
    ["parent", tree],
    ["after", task.after.join(", ")],
    ["attempts", String(task.attempts)],
    ["queued", moment(task.queuedAt)],
    ["started", moment(task.startedAt)],
    ["finished", moment(task.finishedAt)],
    ["next attempt", moment(task.nextAttemptAt)],
    ["exit code", exitOf(task)],
    ["input", formatBytes(task.inputBytes)],
    ["output", `${formatBytes(task.outputBytes)}${task.outputCut ? ", and the rest was dropped" : ""}`],
    ["waited", usage ? formatDuration(Number(usage.waitedMs)) : ""],
    ["ran", usage ? formatDuration(Number(usage.runMs)) : ""],
    ["cpu time", usage ? formatDuration(Number(usage.cpuMs)) : ""],
    ["memory", usage && usage.memoryPeakBytes > 0n ? `${formatBytes(usage.memoryPeakBytes)} at most` : ""],
    ["container", `${task.containerId.slice(0, 12)}${task.warm ? " (it waited for the task)" : ""}`],
    ["labels", formatLabels(task.labels)],
  ]);
}

function exitOf({ exitCode, outOfMemory }: Task): string {
  const code = exitCode === undefined ? "" : String(exitCode);
  return outOfMemory ? `${code} (out of memory)` : code;
}

/** Where a task is, on a line: `failed: its program ended with 1`. */
export function stateInWords({ state, reason }: Pick<Task, "state" | "reason">): string {
  return printable(`${word(TaskState, state)}${reason === "" ? "" : `: ${reason}`}`);
}
