import { failure } from "../base/failure.ts";
import type { CommandCase } from "../wire/commands.ts";
import {
  type Agents,
  deployAgent,
  getAgent,
  listAgents,
  removeAgent,
  rollbackAgent,
} from "./agents/index.ts";
import { applyWishes, type Past, planWishes } from "./apply/index.ts";
import { type Audit, listAudit, verifyAudit } from "./audit/index.ts";
import {
  type Credentials,
  getSealingKey,
  listCredentials,
  removeCredential,
  rotateVaultKey,
  setCredential,
} from "./credentials/index.ts";
import { type Decommission, decommission, planDecommission } from "./decommission/index.ts";
import { type Gateway, getLlmUsage, listModels } from "./gateway/index.ts";
import { type Invoke, invokeRuntime } from "./invoke/index.ts";
import { type Journal, listEvents } from "./journal/index.ts";
import { forgetMemory, listMemoryGroups, type Memory, searchMemory, storeMemory } from "./memory/index.ts";
import type { Metrics } from "./metrics/index.ts";
import {
  checkNode,
  getInterfaces,
  getMetrics,
  getNode,
  listSerialDevices,
  type NodeRoom,
} from "./node/index.ts";
import { checkPolicy, getPolicy, type Policy, testPolicy } from "./policy/index.ts";
import {
  createRuntime,
  deleteRuntime,
  getRuntime,
  getRuntimeLogs,
  getRuntimeStats,
  listRuntimes,
  lockRuntime,
  type Runtimes,
  restartRuntime,
  startRuntime,
  stopRuntime,
  unlockRuntime,
  updateRuntime,
} from "./runtimes/index.ts";
import {
  appendMessages,
  closeSession,
  createSession,
  deleteSession,
  getSession,
  listSessions,
  type Sessions,
} from "./sessions/index.ts";
import { cancelTask, executeTask, getTask, getTaskLogs, listTasks, type Tasks } from "./tasks/index.ts";
import {
  listDeadLetters,
  listSubscriptions,
  publishMessage,
  readMessages,
  type Topics,
} from "./topics/index.ts";
import { getDaemonUpdate, type Updates, updateDaemon } from "./updates/index.ts";
import type { Dispatch, Handler, Table } from "./work/index.ts";

/** What handlers reach. */
export interface Rooms {
  runtimes: Runtimes;
  node: NodeRoom;
  metrics: Metrics;
  invoke: Invoke;
  journal: Journal;
  policy: Policy;
  credentials: Credentials;
  gateway: Gateway;
  audit: Audit;
  agents: Agents;
  past: Past;
  tasks: Tasks;
  sessions: Sessions;
  memory: Memory;
  topics: Topics;
  /** The daemon as a program that can be replaced. */
  updates: Updates;
  /** The node's way out of service. */
  leaving: Decommission;
}

/** Every command of the contract and who carries it out. Forgetting one does not compile. */
const commands: Table<Rooms> = {
  createRuntime,
  getRuntime,
  getRuntimeLogs,
  getRuntimeStats,
  listRuntimes,
  startRuntime,
  stopRuntime,
  restartRuntime,
  deleteRuntime,
  getNode,
  getInterfaces,
  listSerialDevices,
  getMetrics,
  checkNode,
  invokeRuntime,
  updateRuntime,
  lockRuntime,
  unlockRuntime,
  planDecommission,
  decommission,
  listEvents,
  updateDaemon,
  getDaemonUpdate,
  planWishes,
  applyWishes,
  deployAgent,
  getAgent,
  listAgents,
  rollbackAgent,
  removeAgent,
  executeTask,
  getTask,
  listTasks,
  cancelTask,
  getTaskLogs,
  checkPolicy,
  getPolicy,
  testPolicy,
  getSealingKey,
  setCredential,
  listCredentials,
  removeCredential,
  rotateVaultKey,
  listModels,
  getLlmUsage,
  createSession,
  getSession,
  listSessions,
  appendMessages,
  closeSession,
  deleteSession,
  publishMessage,
  readMessages,
  listSubscriptions,
  listDeadLetters,
  storeMemory,
  searchMemory,
  forgetMemory,
  listMemoryGroups,
  listAudit,
  verifyAudit,
};

/** Calls the handler of whatever is asked. */
export function dispatcher(rooms: Rooms): Dispatch {
  return async (request, ask) => {
    if (request.case === undefined) throw failure("invalid", "the command asks for nothing");
    // The table gives each case a handler of its own request and response; a type cannot follow that through a variable.
    const handle = commands[request.case] as Handler<Rooms, CommandCase>;
    const value = await handle(rooms, request.value, ask);
    return { case: request.case, value } as Awaited<ReturnType<Dispatch>>;
  };
}
