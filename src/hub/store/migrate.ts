import pg from "pg";
import { Failure, failure } from "../../base/failure.ts";
import type { Schema } from "../../base/sql.ts";
import { toPostgres } from "./dialect.ts";
import { beginning } from "./locks.ts";
import { nameOf } from "./name.ts";
import { isCollision, troubleOf } from "./trouble.ts";

/** How often it is begun again when PostgreSQL calls it off because of what others read. */
const attempts = 5;

/**
 * Brings the tables of all rooms up to date, in one transaction that is alone: of several hubs that start together one does it,
 * and those that run wait for a moment.
 * @throws {Failure} unavailable: the database cannot be reached or used. unsupported: a newer hub changed it.
 */
export async function migrate(url: string, schemas: readonly Schema[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await attemptMigration(url, schemas);
      return;
    } catch (thrown) {
      if (isCollision(thrown) && attempt < attempts) continue;
      if (thrown instanceof Failure) throw thrown;
      throw troubleOf(thrown, nameOf(url))?.failure ?? thrown;
    }
  }
}

async function attemptMigration(url: string, schemas: readonly Schema[]): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {}); // The query that runs says it, too.
  try {
    await client.connect();
    await client.query(beginning(undefined));
    await client.query(
      `CREATE TABLE IF NOT EXISTS schema_version
         (room TEXT PRIMARY KEY, version BIGINT NOT NULL, usable_from BIGINT NOT NULL)`,
    );
    const { rows } = await client.query<Version>("SELECT * FROM schema_version");
    for (const schema of schemas) {
      const known = rows.find(({ room }) => room === schema.room);
      await migrateRoom(client, schema, known, nameOf(url));
    }
    await client.query("COMMIT");
  } finally {
    await client.end();
  }
}

/** Whole numbers of 64 bits come as text where nobody says otherwise. */
interface Version {
  room: string;
  version: string;
  usable_from: string;
}

async function migrateRoom(
  client: pg.Client,
  { room, migrations, usableFrom = 0 }: Schema,
  known: Version | undefined,
  where: string,
): Promise<void> {
  const version = Number(known?.version ?? 0);
  const neededVersion = Number(known?.usable_from ?? 0);
  if (neededVersion > migrations.length) {
    throw failure(
      "unsupported",
      `a newer hub changed ${where} so that this one cannot work with it (room ${room}, schema ${version}, usable from ${neededVersion}, this program knows ${migrations.length}): start the newer one`,
    );
  }
  if (version >= migrations.length) return;
  for (const migration of migrations.slice(version)) await client.query(toPostgres(migration));
  await client.query(
    `INSERT INTO schema_version (room, version, usable_from) VALUES ($1, $2, $3)
     ON CONFLICT (room) DO UPDATE SET version = excluded.version, usable_from = excluded.usable_from`,
    [room, migrations.length, usableFrom],
  );
}
