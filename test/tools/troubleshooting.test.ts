import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../..", import.meta.url).pathname;

test("what docs/troubleshooting.md says that you see is what the code says", () => {
  const code = globSync(["src/**/*.ts", "tools/**/*.ts", "test/fixtures/*.ts"], { cwd: root })
    .map((file) => readFileSync(root + file, "utf8"))
    .join("\n");
  const page = readFileSync(`${root}docs/troubleshooting.md`, "utf8");
  const seen = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, sentence = ""]) => sentence);
  assert.ok(seen.length > 30);
  // `...` stands for what the code fills in.
  const stale = seen.filter((sentence) => sentence.split("...").some((part) => !code.includes(part.trim())));
  assert.deepEqual(stale, []);
});
