import type { Schema } from "../../base/sql.ts";

/**
 * The tables of this room. `number` ascends with each rollout. The wishes go when it has ended; the hash of the whole request
 * stays, so that asking for it again is the same success. A node that has no deadline was never given a command. `version`
 * ascends with each change of a rollout or of one of its nodes: whoever decided upon an older one decides again. `had` is what
 * a node had, for the way back; `back_try` counts how often one was begun.
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
    `ALTER TABLE rollouts ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
     ALTER TABLE rollouts ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
     ALTER TABLE rollouts ADD COLUMN settle_ms BIGINT NOT NULL DEFAULT 0;
     ALTER TABLE rollouts ADD COLUMN roll_back BIGINT NOT NULL DEFAULT 0;
     ALTER TABLE rollouts ADD COLUMN paused_by TEXT NOT NULL DEFAULT '';
     ALTER TABLE rollouts ADD COLUMN back_by TEXT NOT NULL DEFAULT '';
     ALTER TABLE rollouts ADD COLUMN back_try BIGINT NOT NULL DEFAULT 0;
     ALTER TABLE rollout_nodes ADD COLUMN healthy_since BIGINT;
     ALTER TABLE rollout_nodes ADD COLUMN healthy_restarts BIGINT;
     ALTER TABLE rollout_nodes ADD COLUMN waits_for TEXT NOT NULL DEFAULT '';
     ALTER TABLE rollout_nodes ADD COLUMN undo TEXT NOT NULL DEFAULT 'unknown';
     ALTER TABLE rollout_nodes ADD COLUMN had BLOB;
     ALTER TABLE rollout_nodes ADD COLUMN back_state TEXT;
     ALTER TABLE rollout_nodes ADD COLUMN back_deadline_at BIGINT;
     ALTER TABLE rollout_nodes ADD COLUMN back_command TEXT;
     ALTER TABLE rollout_nodes ADD COLUMN back_outcome BLOB;
     CREATE INDEX rollout_nodes_of_node ON rollout_nodes (node_id);`,
  ],
};
