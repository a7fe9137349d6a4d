import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { settingsPage, withTables } from "../../tools/settings-table.ts";

test("docs/configuration.md tells every setting as the programs define it", () => {
  const page = readFileSync(settingsPage, "utf8");
  assert.match(page, /`hub\.line\.port`/);
  assert.equal(page, withTables(page), "bring it up to date: node tools/settings-table.ts");
});
