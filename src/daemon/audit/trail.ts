import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type AuditEntry, AuditEntrySchema } from "../../../gen/edge/v1/audit_pb.ts";
import type { Row, Schema, Sql } from "../../base/sql.ts";
import { chained } from "./chain.ts";

/**
 * An entry stands in its table as it is in the contract's binary form, and nothing of it stands beside it: what could be read
 * in two places could differ. The triggers stop a mistake of ours; whoever changes the file itself is found by the chain.
 */
export const schema: Schema = {
  room: "audit",
  migrations: [
    `CREATE TABLE audit_entries (sequence INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
     CREATE TRIGGER audit_entries_stay_as_they_are BEFORE UPDATE ON audit_entries
       BEGIN SELECT RAISE(ABORT, 'an entry of the audit trail is never changed'); END;
     CREATE TRIGGER audit_entries_stay BEFORE DELETE ON audit_entries
       BEGIN SELECT RAISE(ABORT, 'an entry of the audit trail is never removed'); END;
     CREATE TABLE audit_checkpoints (sequence INTEGER PRIMARY KEY, checkpoint BLOB NOT NULL) STRICT;
     CREATE TABLE audit_keys (sha256 TEXT PRIMARY KEY, spki BLOB NOT NULL) STRICT;`,
  ],
};

/** Adds an entry after the newest. On disk when this returns, or with the transaction around it. */
export function append(sql: Sql, entry: AuditEntry): AuditEntry {
  return sql.atomically(() => {
    const made = chained(entry, newest(sql));
    const bytes = toBinary(AuditEntrySchema, made);
    sql.run("INSERT INTO audit_entries (sequence, entry) VALUES (?, ?)", Number(made.sequence), bytes);
    return made;
  });
}

/** The newest entry; undefined before the first. Asked each time: a transaction that failed took its entries with it. */
export function newest(sql: Sql): AuditEntry | undefined {
  const row = sql.get("SELECT entry FROM audit_entries ORDER BY sequence DESC LIMIT 1");
  return row && entryOf(row);
}

/** At most `most` rows after a place, in order, or before it, newest first; each with the place where it stands. */
export function rows(
  sql: Sql,
  { after, before, most }: { after?: number; before?: number; most: number },
): { place: number; bytes: Uint8Array }[] {
  const found =
    before === undefined
      ? sql.all("SELECT * FROM audit_entries WHERE sequence > ? ORDER BY sequence LIMIT ?", after ?? 0, most)
      : sql.all(
          "SELECT * FROM audit_entries WHERE sequence < ? ORDER BY sequence DESC LIMIT ?",
          before,
          most,
        );
  return found.map((row) => ({ place: Number(row.sequence), bytes: row.entry as Uint8Array })); // BLOB NOT NULL.
}

function entryOf({ entry }: Row): AuditEntry {
  return fromBinary(AuditEntrySchema, entry as Uint8Array); // BLOB NOT NULL in a STRICT table.
}
