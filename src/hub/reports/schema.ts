import type { Schema } from "../../base/sql.ts";

/** The tables of this room. */
export const reportsSchema: Schema = {
  room: "reports",
  migrations: [
    `CREATE TABLE report_cursors (
       node_id TEXT NOT NULL,
       journal_id TEXT NOT NULL,
       through BIGINT NOT NULL,
       told BIGINT NOT NULL,
       opened_at BIGINT NOT NULL,
       PRIMARY KEY (node_id, journal_id)
     );
     CREATE TABLE events (
       position BIGINT PRIMARY KEY,
       node_id TEXT NOT NULL,
       sequence BIGINT NOT NULL,
       event BLOB NOT NULL
     );
     CREATE INDEX events_of_node ON events (node_id, position);
     CREATE TABLE event_positions (one BIGINT PRIMARY KEY, last BIGINT NOT NULL);
     INSERT INTO event_positions (one, last) VALUES (1, 0);`,
    // Heads of audit trails are kept for longer than other events: see forget.ts.
    `ALTER TABLE events ADD COLUMN kept_at BIGINT NOT NULL DEFAULT 0;
     ALTER TABLE events ADD COLUMN is_audit BIGINT NOT NULL DEFAULT 0;
     CREATE INDEX events_by_age ON events (is_audit, position);`,
  ],
};
