import { existsSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { failure } from "./failure.ts";
import { makeFolder } from "./files.ts";
import { isUnreadable, notReadable, translated } from "./sql-failures.ts";

/**
 * A room's tables: migration `n` brings them from version `n` to `n + 1`. Migrations are added, never changed; and they only add: a
 * program that knows fewer of them works on with the tables, as one does to which a node falls back, or a hub beside a newer one.
 * So what is added has a default, and nothing is renamed, removed or given another meaning.
 */
export interface Schema {
  room: string;
  migrations: readonly string[];
  /** For a migration that could not keep that promise: how many of them a program must know to work with these tables. */
  usableFrom?: number;
}

/** A file that could not be read, and where it was moved. */
export interface SetAside {
  path: string;
  movedTo: string;
  problem: string;
}

/** What of SQLite is used here. */
export interface Database extends Pick<DatabaseSync, "exec" | "close" | "isOpen" | "isTransaction"> {
  prepare(text: string): Statement;
}

/** What of a prepared statement is used here. */
interface Statement {
  all(...values: SQLInputValue[]): unknown[];
  get(...values: SQLInputValue[]): unknown;
  run(...values: SQLInputValue[]): ReturnType<StatementSync["run"]>;
}

interface OpenOptions {
  unreadable?: "set aside" | "refuse";
  extension?: string;
  /** Pages of the file that are kept in memory, in KiB: `usualCacheKib`, if nothing else is given. */
  cacheKib?: number;
  /** One that is open already, in place of the file: `path` only names it. */
  database?: Database;
}

/** Enough for what is asked all the time. SQLite would take four times as much, and the kernel has the rest of the file anyway. */
const usualCacheKib = 512;

/** A row as SQLite gives it: by column. */
export type Row = Record<string, null | number | bigint | string | Uint8Array>;

/**
 * A program's one state file: SQLite, write-ahead log, every commit on disk when the call returns. Held exclusively, so
 * that a second program on the same file is refused for as long as the first lives, and no longer.
 */
export class Sql implements Disposable {
  readonly path: string;
  /** The file that could not be read and was moved out of the way at opening, if that happened. */
  readonly setAside: SetAside | undefined;
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();

  private constructor(path: string, database: Database, setAside: SetAside | undefined) {
    this.path = path;
    this.#database = database;
    this.setAside = setAside;
  }

  /**
   * Opens the file, making it when it is not there. State is never overwritten: a file that is not a readable database is
   * renamed to `<path>.unreadable-<time>` and a new one begun, or, with `refuse`, left where it is.
   * @throws {Failure} conflict: another program has it open. unavailable: the folder cannot be written, or the disk is
   * full; with `refuse`, the file cannot be read. unsupported: it was written by a newer version, or the extension of SQLite
   * (the path of a shared library) does not load.
   */
  static open(
    path: string,
    schemas: readonly Schema[],
    now: () => number,
    { unreadable = "set aside", extension, cacheKib = usualCacheKib, database: given }: OpenOptions = {},
  ): Sql {
    if (given) {
      const sql = new Sql(path, given, undefined);
      sql.#bringUp(schemas);
      return sql;
    }
    try {
      makeFolder(dirname(path), 0o700);
    } catch (thrown) {
      throw failure("unavailable", `cannot make the folder ${dirname(path)}: check its owner and its mode`, {
        cause: thrown,
      });
    }
    let setAside: SetAside | undefined;
    let database: DatabaseSync;
    const options = { allowExtension: extension !== undefined, cacheKib };
    try {
      database = connect(path, options);
    } catch (thrown) {
      if (!isUnreadable(thrown)) throw translated(path, thrown);
      if (unreadable === "refuse") throw notReadable(path, thrown);
      setAside = moveAside(path, now(), thrown);
      database = connect(path, options);
    }
    try {
      const sql = new Sql(path, database, setAside);
      if (extension !== undefined) load(database, extension);
      sql.#bringUp(schemas);
      return sql;
    } catch (thrown) {
      database.close();
      throw translated(path, thrown);
    }
  }

  /** All rows of a query. */
  all(text: string, ...values: SQLInputValue[]): Row[] {
    return this.#guarded(() => this.#prepared(text).all(...values) as Row[]);
  }

  /** The first row of a query, if there is one. */
  get(text: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guarded(() => this.#prepared(text).get(...values) as Row | undefined);
  }

  /** Runs a statement and says how many rows it changed. On disk when it returns, unless within `transaction`. */
  run(text: string, ...values: SQLInputValue[]): { changes: number; lastId: number } {
    return this.#guarded(() => {
      const { changes, lastInsertRowid } = this.#prepared(text).run(...values);
      return { changes: Number(changes), lastId: Number(lastInsertRowid) };
    });
  }

  /** Whether the caller is within `transaction`, whose commit will then cover what it writes. */
  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** All of `work` or nothing. Synchronous on purpose: nothing else can happen in between. May not be nested. */
  transaction<T>(work: () => T): T {
    return this.#guarded(() => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const outcome = work();
        this.#database.exec("COMMIT");
        return outcome;
      } catch (thrown) {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw thrown;
      }
    });
  }

  /** The same, and within a surrounding transaction a part of that one. */
  atomically<T>(work: () => T): T {
    return this.inTransaction ? work() : this.transaction(work);
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepared(text: string): Statement {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = this.#database.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw translated(this.path, thrown);
    }
  }

  /** Brings the tables of all rooms up to date. */
  #bringUp(schemas: readonly Schema[]): void {
    this.#prepareVersions();
    for (const schema of schemas) this.#migrate(schema);
  }

  #migrate({ room, migrations, usableFrom = 0 }: Schema): void {
    const row = this.get("SELECT version, usable_from FROM schema_version WHERE room = ?", room);
    const version = Number(row?.version ?? 0);
    if (Number(row?.usable_from ?? 0) > migrations.length) {
      throw failure(
        "unsupported",
        `${this.path} was written by a newer version (room ${room}, schema ${version}, usable from ${Number(row?.usable_from)}, this program knows ${migrations.length}): run that version again`,
      );
    }
    for (const [index, migration] of migrations.entries()) {
      if (index < version) continue;
      this.transaction(() => {
        this.#database.exec(migration);
        this.run(
          `INSERT INTO schema_version (room, version, usable_from) VALUES (?, ?, ?)
           ON CONFLICT (room) DO UPDATE SET version = excluded.version, usable_from = excluded.usable_from`,
          ...[room, index + 1, Math.min(usableFrom, index + 1)],
        );
      });
    }
  }

  /** Files of the first versions do not say from when on they are usable. */
  #prepareVersions(): void {
    this.run(
      "CREATE TABLE IF NOT EXISTS schema_version (room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
    );
    const columns = this.all("SELECT name FROM pragma_table_info('schema_version')");
    if (columns.some(({ name }) => name === "usable_from")) return;
    this.run("ALTER TABLE schema_version ADD COLUMN usable_from INTEGER NOT NULL DEFAULT 0");
  }
}

/** Loads one extension, and lets nothing load another. */
function load(database: DatabaseSync, extension: string): void {
  try {
    database.loadExtension(extension);
  } catch (cause) {
    throw failure("unsupported", `${extension} is no extension of SQLite that this machine can load`, {
      cause,
    });
  } finally {
    database.enableLoadExtension(false);
  }
}

function connect(
  path: string,
  { allowExtension, cacheKib }: { allowExtension: boolean; cacheKib: number },
): DatabaseSync {
  const database = new DatabaseSync(path, { allowExtension });
  try {
    // EXCLUSIVE before WAL: the lock is then taken by the first read and kept, and there is no shared-memory file.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON");
    database.exec(`PRAGMA cache_size = -${cacheKib}`);
    // Takes the lock now, so that a second program is refused at start and not at its first write.
    database.exec("BEGIN EXCLUSIVE; COMMIT");
    const check = database.prepare("PRAGMA quick_check(1)").get() as { quick_check: string };
    if (check.quick_check !== "ok") throw Object.assign(new Error(check.quick_check), { errcode: 11 });
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

function moveAside(path: string, now: number, thrown: unknown): SetAside {
  const stamp = new Date(now).toISOString().replaceAll(":", "");
  const movedTo = `${path}.unreadable-${stamp}`;
  // The write-ahead log belongs to the file: left behind, it would be replayed into the new one.
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, movedTo + suffix);
  }
  return { path, movedTo, problem: thrown instanceof Error ? thrown.message : String(thrown) };
}
