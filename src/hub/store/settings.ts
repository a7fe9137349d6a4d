import * as v from "valibot";
import { whole } from "../../base/setting-kinds.ts";
import type { Setting, Settings } from "../../base/settings.ts";

/** The store of a hub that nobody told otherwise: a file in its data directory. */
const inDataDir = "sqlite:";

/** The settings of the store. */
export const storeSettings = {
  "hub.store_url": {
    schema: v.pipe(
      v.string(),
      v.check((given) => given.startsWith("sqlite:") || isPostgres(given)),
    ),
    default: inDataDir,
    doc: "Where the hub keeps its state: sqlite: is hub.db in hub.data_dir; replicas share a PostgreSQL.",
    allowed: "sqlite: with or without the path of a file, or a postgres:// URL",
    secret: true, // It may hold a password.
  } satisfies Setting<string>,
  "hub.store_connections": whole({
    default: 10,
    min: 2,
    max: 200,
    doc: "Connections that this hub has to PostgreSQL at most.",
  }),
} satisfies Settings;

/** The URL of the whole store is a secret, but not which engine it is. */
export function isPostgres(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url) && URL.canParse(url.replace(/^\w+:\/\/\//, "postgres://localhost/"));
}
