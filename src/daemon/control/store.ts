import type { Schema, Sql } from "../../base/sql.ts";

/** The room's table: one row, which holds the session epoch. */
export const schema: Schema = {
  room: "control",
  migrations: [
    `CREATE TABLE control (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL) STRICT;
     INSERT INTO control VALUES (1, 0);`,
  ],
};

/** The epoch of a new attempt to connect, one higher than the last. On disk when it returns. */
export function nextEpoch(sql: Sql): number {
  sql.run("UPDATE control SET epoch = epoch + 1");
  return Number(sql.get("SELECT epoch FROM control")?.epoch);
}
