/**
 * Runtimes: what should run on this node, what runs, and the loop that closes the gap. Wishes are on disk; what the engine
 * knows is asked. Commands change wishes; the loop changes the world: `plan` decides, `apply` does one step, and each object
 * on the engine carries labels by which it is known again after any crash.
 */
export { capabilitiesSetting, usualCapabilities } from "./capabilities.ts";
export { devicesSetting, usualDevices } from "./device-policy.ts";
export {
  applyWishes,
  createRuntime,
  deleteRuntime,
  getRuntime,
  getRuntimeLogs,
  getRuntimeStats,
  listRuntimes,
  lockRuntime,
  planWishes,
  restartRuntime,
  startRuntime,
  stopRuntime,
  unlockRuntime,
  updateRuntime,
} from "./handlers.ts";
export { Runtimes, type RuntimesOptions } from "./runtimes.ts";
export { instanceIdOf, schema } from "./store.ts";
