import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readText } from "../../src/base/yaml-file.ts";
import { tempFolder } from "../fixtures/folder.ts";

test("a file that is written in its place meanwhile is read as it was before or after, and never empty", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "settings.yaml");
  const contents = ["a", "b"].map((letter) => letter.repeat(500_000));
  const write = (at: number) => writeFileSync(path, contents[at % 2] ?? "");
  write(0);
  const found = new Set<string>();
  for (let round = 1; round <= 100; round++) {
    await sleep(12); // The kernel writes down when a file was written to so many milliseconds.
    const reading = readText({ path, what: "the file" });
    // Some time after the reading began, and while it goes on.
    for (let turn = 0; turn < round % 8; turn++) await new Promise(setImmediate);
    write(round);
    found.add(await reading);
  }
  for (const text of found) assert.ok(contents.includes(text), `${text.length} characters`);
});
