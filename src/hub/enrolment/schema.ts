import type { Schema } from "../../base/sql.ts";

/** The room's tables: which authority this fleet has, and its one-time tokens. */
export const schema: Schema = {
  room: "enrolment",
  migrations: [
    `CREATE TABLE authority (
       id TEXT PRIMARY KEY,
       root_sha256 BLOB NOT NULL,
       trust_domain TEXT NOT NULL
     ) STRICT;
     CREATE TABLE enrolment_tokens (
       id TEXT PRIMARY KEY,
       secret_sha256 BLOB NOT NULL,
       note TEXT NOT NULL,
       created_at INTEGER NOT NULL,
       expires_at INTEGER NOT NULL,
       revoked_at INTEGER,
       used_at INTEGER,
       used_by TEXT,
       used_key_sha256 BLOB,
       enrolled_at INTEGER
     ) STRICT;
     CREATE INDEX enrolment_tokens_by_age ON enrolment_tokens (created_at);`,
  ],
};
