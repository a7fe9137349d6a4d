/**
 * Runtimes: what runs, and the loop that closes the gap to what should. Wishes are on disk; what the engine knows is asked.
 * Commands change wishes; the loop changes the world: `plan` decides, `apply` does one step, and each object on the engine
 * carries labels by which it is known again after any crash.
 */
export {
  createRuntime,
  deleteRuntime,
  getRuntime,
  getRuntimeLogs,
  getRuntimeStats,
  listRuntimes,
  lockRuntime,
  restartRuntime,
  startRuntime,
  stopRuntime,
  unlockRuntime,
  updateRuntime,
} from "./handlers.ts";
export type { RuntimesOptions } from "./parts.ts";
export { Runtimes } from "./runtimes.ts";
