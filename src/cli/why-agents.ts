import type { Agent } from "../../gen/edge/v1/agents_pb.ts";
import type { Task } from "../../gen/edge/v1/tasks_pb.ts";
import { moment } from "./answer.ts";
import { printable } from "./table.ts";
import { stateInWords } from "./task-tell.ts";

/** What of an agent has a say in whether its tasks run, a line each. */
export function reasonsOfAgent(agent: Agent | undefined): string {
  if (!agent) return "";
  const { name, current, problem, queued, running, warm, nextRunAt } = agent;
  const spec = current?.spec;
  return told(`agent ${name} is at version ${current?.version}${problem === "" ? "" : `: ${problem}`}`, [
    `${queued} of its tasks wait and ${running} run; at most ${spec?.concurrency || 1} may at a time`,
    ...(spec?.warm ? [`${warm} of ${spec.warm} containers wait for a task`] : []),
    ...(spec?.schedule?.paused ? ["its schedule is paused"] : []),
    ...(nextRunAt ? [`its schedule executes it next at ${moment(nextRunAt)}`] : []),
  ]);
}

/** Likewise of a task. */
export function reasonsOfTask(task: Task | undefined): string {
  if (!task) return "";
  const { id, agent, agentVersion, attempts, after, parentId, nextAttemptAt, outOfMemory } = task;
  return told(`task ${id} of agent ${agent}, version ${agentVersion}, is ${stateInWords(task)}`, [
    ...(parentId === "" ? [] : [`it is a child of task ${parentId}`]),
    ...(after.length === 0 ? [] : [`it comes after ${after.join(", ")}`]),
    ...(attempts > 1 ? [`it was tried ${attempts} times`] : []),
    ...(nextAttemptAt ? [`it is tried again at ${moment(nextAttemptAt)}`] : []),
    ...(outOfMemory ? ["its last attempt ended for want of memory"] : []),
  ]);
}

function told(what: string, says: readonly string[]): string {
  return [what, ...says.map((line) => `  ${line}`)].map((line) => `${printable(line)}\n`).join("");
}
