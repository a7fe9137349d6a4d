import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { it } from "node:test";
import type { Schema } from "../../../src/base/sql.ts";

it("migrations of the hub's rooms only add, so that a hub works on beside a newer one", async () => {
  const schemas = await schemasOfRooms();
  assert.ok(schemas.length >= 6, "the schemas are found");
  for (const { room, migrations, usableFrom } of schemas) {
    if (usableFrom !== undefined) continue;
    for (const statement of migrations.flatMap(statementsOf)) {
      assert.match(statement, adds, `${room}: an older hub would break; say usableFrom if it must be`);
      if (!statement.startsWith("ALTER")) continue;
      assert.match(statement, /DEFAULT|^(?!.*NOT NULL)/, `${room}: an older hub would not fill this column`);
    }
  }
});

const adds = /^(CREATE (UNIQUE )?(TABLE|INDEX)|ALTER TABLE \w+ ADD COLUMN|INSERT INTO|UPDATE) /;

function statementsOf(migration: string): string[] {
  const statements = migration.split(";").map((text) => text.replaceAll(/\s+/g, " ").trim());
  return statements.filter((text) => text !== "");
}

async function schemasOfRooms(): Promise<Schema[]> {
  const rooms = globSync("src/hub/*/index.ts", { cwd: new URL("../../../", import.meta.url) });
  const modules = await Promise.all(
    rooms.map((path) => import(new URL(`../../../${path}`, import.meta.url).href) as Promise<object>),
  );
  return modules.flatMap((module) => Object.values(module).filter(isSchema));
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && "room" in value && "migrations" in value;
}
