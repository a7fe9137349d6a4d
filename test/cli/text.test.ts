import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { FleetNodeSchema } from "../../gen/edge/v1/fleet_pb.ts";
import { formatBytes, formatDuration, parseDuration } from "../../src/base/quantity.ts";
import { table } from "../../src/cli/table.ts";
import { choose } from "../../src/cli/target.ts";
import { taskExits } from "../../src/cli/task-execute.ts";
import { openTerminal } from "../../src/cli/terminal.ts";
import { failureTable } from "../../src/wire/failures.ts";

test("a table is aligned whatever its cells are, and cut only where a terminal ends", () => {
  const columns = [{ title: "NAME" }, { title: "N", right: true }, { title: "NOTE" }];
  const rows = [
    ["日本", "7", "wide"],
    ["a\nb\x1b[2J", "1234", ""],
  ];
  assert.equal(table(columns, rows), "NAME     N  NOTE\n日本     7  wide\na?b   1234  -\n");
  assert.equal(table(columns, rows, { columns: 14 }).split("\n")[1], "日本     7  w…");
});

test("a node is meant by its id, its host name, or the beginning of its id, and never by guessing", () => {
  const node = (id: string, hostName: string) => create(FleetNodeSchema, { id, hostName });
  const nodes = [node("node-1a", "press"), node("node-1b", "press"), node("node-2c", "node-1a")];
  assert.equal(choose(nodes, "node-1a").hostName, "press");
  assert.equal(choose(nodes, "node-2").id, "node-2c");
  assert.throws(() => choose(nodes, "press"), {
    message: '"press" means more than one node: node-1a, node-1b',
  });
  assert.throws(() => choose(nodes, "lathe"), { kind: "not_found", message: 'no node is called "lathe"' });
  assert.throws(() => choose(nodes, undefined), {
    message: "the fleet has 3 nodes: say which with --node (node-1a, node-1b, node-2c)",
  });
  assert.throws(() => choose([], undefined), {
    message: "the fleet has no nodes yet: let one in with `orchestrator hub token create`",
  });
});

test("sizes and spans read as people say them", () => {
  assert.deepEqual([0, 1023, 1024, 1_572_864, 1023.6 * 1024 ** 3].map(formatBytes), [
    "0 B",
    "1023 B",
    "1.00 KiB",
    "1.50 MiB",
    "1.00 TiB",
  ]);
  assert.deepEqual([-5, 850, 65_000, 273_600_000].map(formatDuration), ["0ms", "850ms", "1m 5s", "3d 4h"]);
  assert.equal(parseDuration("15m"), 900_000);
});

test("colours are for a person at a terminal who wants them", () => {
  const on = (isTTY: boolean, env: NodeJS.ProcessEnv): boolean => {
    const stream = Object.assign(new PassThrough(), { isTTY });
    return (
      openTerminal({ stdin: process.stdin, stdout: stream, stderr: stream }, env).style.bold("x") !== "x"
    );
  };
  assert.deepEqual(
    [on(true, {}), on(true, { NO_COLOR: "1" }), on(true, { TERM: "dumb" }), on(false, {})],
    [true, false, false, false],
  );
});

test("docs/cli.md tells the exit codes as they are", () => {
  const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
  const told = [...page.matchAll(/^\| (\d+) \| ([a-z ]+) \|/gm)].map(([, code, kind]) => [
    kind,
    Number(code),
  ]);
  const codes = Object.entries(failureTable).map(([kind, { exit }]) => [kind.replace("_", " "), exit]);
  assert.deepEqual(told, codes);
  for (const code of Object.values(taskExits)) assert.match(page, new RegExp(`^\\| ${code} \\|`, "m"));
});
