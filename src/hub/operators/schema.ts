import type { Schema } from "../../base/sql.ts";

/** The room's table. */
export const schema: Schema = {
  room: "operators",
  migrations: [
    `CREATE TABLE operator_tokens (
       id TEXT PRIMARY KEY,
       name TEXT NOT NULL,
       role TEXT NOT NULL,
       secret_sha256 BLOB NOT NULL,
       created_at INTEGER NOT NULL,
       expires_at INTEGER,
       used_at INTEGER,
       revoked_at INTEGER
     ) STRICT;`,
    "ALTER TABLE operator_tokens ADD COLUMN tenant TEXT NOT NULL DEFAULT ''",
  ],
};
