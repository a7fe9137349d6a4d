/**
 * Tasks: executions of agents. Each is kept on disk with its state, waits its turn, is given to a cell once, and ends in exactly
 * one final state, whatever dies on the way. `plan` decides who is next, an attempt does one execution, and what a former life of
 * the daemon left is taken up again.
 */
export type { TreeTasks } from "./broker-tasks.ts";
export { cancelTask, executeTask, getTask, getTaskLogs, listTasks } from "./handlers.ts";
export { recordIncident } from "./incident.ts";
export { taskSettings, usualSlots } from "./slots.ts";
export { schema as tasksSchema } from "./store.ts";
export { Tasks } from "./tasks.ts";
