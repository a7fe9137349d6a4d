import type { Schema, Sql } from "../../base/sql.ts";

export const schema: Schema = {
  room: "credentials",
  migrations: [
    `CREATE TABLE credential_uses (
       name TEXT PRIMARY KEY,
       uses INTEGER NOT NULL,
       used_at INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE credential_expired (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT;
     CREATE TABLE credential_lent (
       cell TEXT NOT NULL,
       file TEXT NOT NULL,
       name TEXT NOT NULL,
       user_id INTEGER NOT NULL,
       PRIMARY KEY (cell, file)
     ) STRICT;
     CREATE INDEX credential_lent_by_name ON credential_lent (name);`,
  ],
};

/** One file that a cell sees: a secret by the name that its agent gave it, for the user that its program is. */
export interface Loan {
  cell: string;
  file: string;
  name: string;
  userId: number;
}

/** What is known beside the vault: how often secrets were used, and to whom they are lent. Nothing of it is secret. */
export class CredentialStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** All of `work`, or nothing. */
  atomically<T>(work: () => T): T {
    return this.#sql.atomically(work);
  }

  used(name: string, at: number): void {
    this.#sql.run(
      `INSERT INTO credential_uses (name, uses, used_at) VALUES (?, 1, ?)
         ON CONFLICT (name) DO UPDATE SET uses = uses + 1, used_at = excluded.used_at`,
      ...[name, at],
    );
  }

  uses(name: string): { uses: number; usedAt: number } | undefined {
    const row = this.#sql.get("SELECT uses, used_at FROM credential_uses WHERE name = ?", name);
    return row && { uses: Number(row.uses), usedAt: Number(row.used_at) };
  }

  /** Forgets how a secret was used: it is gone, and another one of its name is another one. */
  forget(name: string): void {
    this.#sql.run("DELETE FROM credential_uses WHERE name = ?", name);
    this.#sql.run("DELETE FROM credential_expired WHERE name = ?", name);
  }

  forgetAll(): void {
    for (const table of ["credential_uses", "credential_expired"]) this.#sql.run(`DELETE FROM ${table}`);
  }

  /** Notes that the end of a revision was told. @returns whether it was not before. */
  noteExpired(name: string, revision: number): boolean {
    const { changes } = this.#sql.run(
      `INSERT INTO credential_expired (name, revision) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET revision = excluded.revision WHERE revision <> excluded.revision`,
      ...[name, revision],
    );
    return changes > 0;
  }

  lend({ cell, file, name, userId }: Loan): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO credential_lent (cell, file, name, user_id) VALUES (?, ?, ?, ?)",
      ...[cell, file, name, userId],
    );
  }

  /** All loans, or those of one secret. */
  loans(name?: string): Loan[] {
    const rows =
      name === undefined
        ? this.#sql.all("SELECT * FROM credential_lent")
        : this.#sql.all("SELECT * FROM credential_lent WHERE name = ?", name);
    return rows.map((row) => ({
      ...{ cell: String(row.cell), file: String(row.file), name: String(row.name) },
      userId: Number(row.user_id),
    }));
  }

  returned(cell: string): void {
    this.#sql.run("DELETE FROM credential_lent WHERE cell = ?", cell);
  }
}
