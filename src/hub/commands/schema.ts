import type { Schema } from "../../base/sql.ts";

/** The tables of this room. */
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
       cancelled_at BIGINT,
       expired_at BIGINT,
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
  ],
};
