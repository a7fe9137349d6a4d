/**
 * The hub's truth: one SQL store behind a port that an embedded engine (SQLite) and a scaled one (PostgreSQL) both stand
 * behind. Statements are written once for both: `$1` placeholders, times as BIGINT milliseconds, TEXT and BLOB, ON CONFLICT
 * and RETURNING. What is only live (presence, progress) never comes here.
 */
export { openStore, storeName } from "./open.ts";
export type { Store, Tx } from "./port.ts";
export { isPostgres, storeSettings } from "./settings.ts";
export { SqliteStore } from "./sqlite.ts";
