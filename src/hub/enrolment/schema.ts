import type { Schema } from "../../base/sql.ts";

/** The room's tables: which authority this fleet has and had, and its one-time tokens. */
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
    `CREATE TABLE roots (
       id TEXT PRIMARY KEY,
       certificate_pem TEXT NOT NULL,
       vouched_pem TEXT NOT NULL,
       sealed_key BLOB,
       made_at BIGINT NOT NULL,
       retired_at BIGINT
     );
     CREATE TABLE root_holders (node_id TEXT PRIMARY KEY, root_id TEXT NOT NULL);
     ALTER TABLE enrolment_tokens ADD COLUMN node_id TEXT;`,
    "ALTER TABLE enrolment_tokens ADD COLUMN tenant TEXT NOT NULL DEFAULT ''",
  ],
};
