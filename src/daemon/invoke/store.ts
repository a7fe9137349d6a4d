import type { Schema, Sql } from "../../base/sql.ts";

export const schema: Schema = {
  room: "invoke",
  migrations: [
    `CREATE TABLE invoke_certificates (
       runtime TEXT NOT NULL,
       port INTEGER NOT NULL,
       made_at INTEGER NOT NULL,
       sha256 TEXT NOT NULL,
       refused_sha256 TEXT NOT NULL DEFAULT '',
       PRIMARY KEY (runtime, port)
     ) STRICT;
     CREATE TABLE invoke_sent (number INTEGER PRIMARY KEY AUTOINCREMENT, command_id TEXT NOT NULL UNIQUE) STRICT;`,
  ],
};

/** A port of a runtime, which is one runtime from its creation until it is deleted, whatever its name. */
export interface PortOf {
  runtime: string;
  /** When its wish was first stored: tells it from an earlier one of the same name. */
  madeAt: number;
  port: number;
}

/** What is known of the certificate of a port. */
export interface Pin {
  sha256: string;
  /** The last one that was refused there; empty when none was. */
  refused: string;
}

/** Certificates by which runtimes are known. On disk when a function returns, or with the transaction around it. */
export class Pins {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  get({ runtime, madeAt, port }: PortOf): Pin | undefined {
    const row = this.#sql.get(
      "SELECT sha256, refused_sha256 FROM invoke_certificates WHERE runtime = ? AND port = ? AND made_at = ?",
      ...[runtime, port, madeAt],
    );
    return row && { sha256: String(row.sha256), refused: String(row.refused_sha256) };
  }

  /** Replaces what was known, also of an earlier runtime of the same name. */
  put({ runtime, madeAt, port }: PortOf, { sha256, refused }: Pin): void {
    this.#sql.run(
      `INSERT INTO invoke_certificates (runtime, port, made_at, sha256, refused_sha256) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (runtime, port) DO UPDATE
         SET made_at = excluded.made_at, sha256 = excluded.sha256, refused_sha256 = excluded.refused_sha256`,
      ...[runtime, port, madeAt, sha256, refused],
    );
  }

  /** Forgets runtimes that are no more. */
  forgetAllBut(exists: (runtime: string) => boolean): void {
    for (const { runtime } of this.#sql.all("SELECT DISTINCT runtime FROM invoke_certificates")) {
      if (exists(String(runtime))) continue;
      this.#sql.run("DELETE FROM invoke_certificates WHERE runtime = ?", String(runtime));
    }
  }
}

/** So many of those that have ended are kept: the result of one that has just ended may not be on disk yet. */
const keptNotes = 1_000;

/** Requests that must not be sent twice, noted before they are sent. */
export class SentOnce {
  readonly #sql: Sql;
  /** Of this life of the daemon, those without an end. */
  readonly #underWay = new Set<string>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Whether the command's request may have been sent. */
  has(commandId: string): boolean {
    return this.#sql.get("SELECT 1 FROM invoke_sent WHERE command_id = ?", commandId) !== undefined;
  }

  /** Notes it, on disk, and sends; nothing is ever sent for this command again. */
  async noting<T>(commandId: string, send: () => Promise<T>): Promise<T> {
    this.#sql.run("INSERT INTO invoke_sent (command_id) VALUES (?)", commandId);
    this.#underWay.add(commandId);
    try {
      return await send();
    } finally {
      this.#underWay.delete(commandId);
      this.#forgetOld();
    }
  }

  #forgetOld(): void {
    const old = this.#sql.all(
      "SELECT command_id FROM invoke_sent WHERE number <= (SELECT MAX(number) FROM invoke_sent) - ?",
      keptNotes,
    );
    for (const { command_id: id } of old) {
      if (!this.#underWay.has(String(id))) {
        this.#sql.run("DELETE FROM invoke_sent WHERE command_id = ?", String(id));
      }
    }
  }
}
