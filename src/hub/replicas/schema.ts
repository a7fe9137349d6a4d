import type { Schema } from "../../base/sql.ts";

/**
 * The tables of this room. `beats` counts the looks of a replica: whoever sees it stand still for long enough takes that replica for
 * dead, by his own clock alone. `fleet_identity` names the fleet on a bus that it shares with others.
 */
export const replicasSchema: Schema = {
  room: "replicas",
  migrations: [
    `CREATE TABLE replicas (
       id TEXT PRIMARY KEY,
       beats BIGINT NOT NULL,
       started_at BIGINT NOT NULL,
       host_name TEXT NOT NULL,
       version TEXT NOT NULL
     );
     CREATE TABLE fleet_identity (one BIGINT PRIMARY KEY, id TEXT NOT NULL);`,
  ],
};
