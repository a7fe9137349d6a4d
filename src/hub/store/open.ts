import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { SettingValues } from "../../base/settings.ts";
import type { Schema } from "../../base/sql.ts";
import { nameOf } from "./name.ts";
import type { Store } from "./port.ts";
import { isPostgres, type storeSettings } from "./settings.ts";
import { SqliteStore } from "./sqlite.ts";

export interface StoreOptions {
  settings: SettingValues<typeof storeSettings>;
  dataDir: string;
  schemas: readonly Schema[];
  clock: Clock;
}

/**
 * The store that the settings name, with the tables of the rooms.
 * @throws {Failure} conflict: another hub has the file. unavailable: it cannot be read or written, or not reached. unsupported: a
 * newer hub has changed it.
 */
export async function openStore({ settings, dataDir, schemas, clock }: StoreOptions): Promise<Store> {
  const url = settings["hub.store_url"];
  if (!isPostgres(url)) return SqliteStore.open(fileOf(url, dataDir), schemas, () => clock.now());
  const connections = settings["hub.store_connections"];
  // Only then, because a hub that does not need it is smaller by 11 MB without.
  const { PostgresStore } = await import("./postgres.ts");
  return await PostgresStore.open({ url, schemas, clock, connections, random: Math.random });
}

/** What a store is called to people, without its password. */
export function storeName(url: string, dataDir: string): string {
  return isPostgres(url) ? nameOf(url) : fileOf(url, dataDir);
}

function fileOf(url: string, dataDir: string): string {
  return url.slice("sqlite:".length) || join(dataDir, "hub.db");
}
