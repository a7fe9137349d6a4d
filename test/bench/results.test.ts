import assert from "node:assert/strict";
import { test } from "node:test";
import { merged } from "../../bench/results.ts";

test("a section takes the place of its former self, a new one comes last, and the others stay", () => {
  const results = "# Results\n\nHead.\n\n## One\n\n| a | 1 |\n## One and a half\n\n| b | 2 |\n";
  const again = merged(results, "## One\n\n| a | 3 |\n");
  assert.equal(again, "# Results\n\nHead.\n\n## One\n\n| a | 3 |\n\n## One and a half\n\n| b | 2 |\n");
  assert.equal(merged(again, "## Two\n"), `${again}\n## Two\n`);
});
