/**
 * Locks: when a runtime is not to be touched. An operator says so, its own wish does (no maintenance window is open), or its
 * program does, by a file in a folder that is mounted for it. What is locked now is worked out whenever somebody asks; what
 * follows from it is decided elsewhere.
 */
export type { LockFolders } from "./lock-folders.ts";
export { Locks } from "./locks.ts";
export { schema } from "./store.ts";
export { wrongMaintenance } from "./windows.ts";
