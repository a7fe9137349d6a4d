import type { Schema } from "../../base/sql.ts";

/** The table of this room. The tenant is empty for groups of the whole hub. */
export const groupsSchema: Schema = {
  room: "groups",
  migrations: [
    `CREATE TABLE node_groups (
       tenant TEXT NOT NULL,
       name TEXT NOT NULL,
       selector TEXT NOT NULL,
       set_by TEXT NOT NULL,
       set_at BIGINT NOT NULL,
       PRIMARY KEY (tenant, name)
     );`,
  ],
};
