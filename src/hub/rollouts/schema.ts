import type { Schema } from "../../base/sql.ts";

/**
 * The tables of this room. `number` ascends with each rollout. The wishes go when it has ended; the hash of the whole request
 * stays, so that asking for it again is the same success. A node that has no deadline was never given a command.
 */
export const rolloutsSchema: Schema = {
  room: "rollouts",
  migrations: [
    `CREATE TABLE rollouts (
       id TEXT PRIMARY KEY,
       number BIGINT NOT NULL UNIQUE,
       request_sha256 BLOB NOT NULL,
       wishes BLOB,
       actor TEXT NOT NULL,
       size BIGINT NOT NULL,
       batch BIGINT NOT NULL,
       max_failures BIGINT NOT NULL,
       timeout_ms BIGINT NOT NULL,
       skip_offline BIGINT NOT NULL,
       called_off_by TEXT NOT NULL,
       state TEXT NOT NULL,
       reason TEXT NOT NULL,
       started_at BIGINT NOT NULL,
       finished_at BIGINT
     );
     CREATE INDEX rollouts_under_way ON rollouts (number) WHERE finished_at IS NULL;
     CREATE TABLE rollout_nodes (
       rollout_id TEXT NOT NULL,
       place BIGINT NOT NULL,
       node_id TEXT NOT NULL,
       state TEXT NOT NULL,
       deadline_at BIGINT,
       outcome BLOB,
       PRIMARY KEY (rollout_id, place)
     );`,
  ],
};
