/**
 * Memory: what agents keep between tasks, and find again by meaning, by words and by attributes. Each memory is in a group, and an
 * agent uses the group of its own name and those that its manifest names. Searching is exact: every memory that meets the filters is
 * looked at, by an extension of SQLite (docs/decisions/0026-memories-in-sqlite.md).
 */
export type { Embed } from "./embedding.ts";
export { forgetMemory, listMemoryGroups, searchMemory, storeMemory } from "./handlers.ts";
export { Memory } from "./memory.ts";
export { type MemorySettings, memorySettings, memorySettingsOf } from "./memory-settings.ts";
export type { Who } from "./who.ts";
