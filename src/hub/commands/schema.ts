import type { Schema } from "../../base/sql.ts";

/**
 * The tables of this room. A queue is three numbers that only the resumption of a line may lower: `last` was given to a
 * command, up to `handed` the node may have them, up to `accepted` it has said so.
 */
export const commandsSchema: Schema = {
  room: "commands",
  migrations: [
    `CREATE TABLE commands (
       id TEXT PRIMARY KEY,
       node_id TEXT NOT NULL,
       sequence BIGINT NOT NULL,
       command BLOB NOT NULL,
       queued_at BIGINT NOT NULL,
       expires_at BIGINT NOT NULL,
       called_off BIGINT NOT NULL,
       expired BIGINT NOT NULL,
       finished_at BIGINT,
       result BLOB
     );
     CREATE UNIQUE INDEX commands_in_order ON commands (node_id, sequence);
     CREATE INDEX commands_pending ON commands (node_id, sequence) WHERE finished_at IS NULL;
     CREATE INDEX commands_expiring ON commands (expires_at) WHERE finished_at IS NULL;
     CREATE INDEX commands_old ON commands (finished_at) WHERE finished_at IS NOT NULL;
     CREATE TABLE command_queues (
       node_id TEXT PRIMARY KEY,
       last BIGINT NOT NULL,
       handed BIGINT NOT NULL,
       accepted BIGINT NOT NULL
     );`,
    "ALTER TABLE commands ADD COLUMN result_dropped BIGINT NOT NULL DEFAULT 0",
  ],
};
