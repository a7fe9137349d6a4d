import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { beginning } from "../../src/base/evidence.ts";
import { openLog, secretFields } from "../../src/base/log.ts";
import { tempFolder } from "../fixtures/folder.ts";

test("a secret is not written, three fields deep, and the line around it is", async () => {
  using folder = tempFolder();
  const file = join(folder.path, "hub.log");
  const log = openLog({ program: "hub", level: "info", format: "json", file });
  for (const name of secretFields) {
    log.info(
      { [name]: "s3cret", token_id: "t1", in: { [name]: "s3cret", in: { [name]: "s3cret" } } },
      "said",
    );
  }
  let text = "";
  while (text.split("\n").length <= secretFields.length) {
    await turn();
    text = readFileSync(file, { encoding: "utf8", flag: "a+" });
  }
  assert.doesNotMatch(text, /s3cret/);
  assert.equal(text.match(/"token_id":"t1"/g)?.length, secretFields.length);
});

test("what a node says cannot steer the terminal of who reads the hub's log", (t) => {
  const lines: string[] = [];
  t.mock.method(process.stderr, "write", (line: string) => lines.push(line) > 0);
  const log = openLog({ program: "hub", level: "info", format: "pretty" });
  log.info({ node: "n-a", host: "plant\u001b[2J", reason: "a\u009bb\u202e" }, "node says goodbye");
  t.mock.restoreAll();
  assert.match(
    lines.join(""),
    /hub: node says goodbye node=n-a host="plant\\u001b\[2J" reason="a\\u009bb\\u202e"\n$/,
  );
});

test("a text is cut between characters, by its bytes", () => {
  assert.equal(beginning("plc", 3), "plc");
  assert.equal(beginning("aä€", 3), "aä");
  assert.equal(beginning("aä€", 5), "aä");
});
