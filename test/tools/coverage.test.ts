import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Command } from "commander";
import { systemClock } from "../../src/base/clock.ts";
import { defineProgram } from "../../src/cli/program.ts";
import { openTerminal } from "../../src/cli/terminal.ts";

const root = new URL("../..", import.meta.url).pathname;
const page = readFileSync(join(root, "docs/coverage.md"), "utf8");

test("each promise in docs/coverage.md has a test that exists, or a reason why it is not here", () => {
  const promises = page.split("\n").filter((line) => /^\| (?!promised|---)/.test(line));
  assert.ok(promises.length > 90);
  const open = promises.filter((line) => {
    const named = [...line.matchAll(/`(test\/[^`]+)`: "([^"]+)"/g)];
    const exist = named.every(([, path = "", name = ""]) => {
      const file = join(root, path);
      return existsSync(file) && readFileSync(file, "utf8").includes(`"${name}"`);
    });
    return !exist || (named.length === 0 && !line.includes("| not "));
  });
  assert.deepEqual(open, []);
});

test("each command and flag that docs/coverage.md shows is one of the CLI", () => {
  const program = defineProgram({
    ...{ env: {}, uid: 0, home: "/", cwd: "/", args: [], flags: {}, clock: systemClock },
    ...{ terminal: openTerminal(process, {}), signal: new AbortController().signal },
  });
  const shown = [...page.matchAll(/`cmd ([^`]+)`/g)].map(([, words = ""]) =>
    words.replaceAll("\\|", "|").split(" "),
  );
  assert.ok(shown.length > 60);
  const isThere = ({ commands, options }: Command, [names = "", ...rest]: string[]): boolean => {
    const known = [...options, ...program.options].map(({ long }) => long);
    if (commands.length === 0) {
      return [names, ...rest].filter((word) => word.startsWith("--")).every((flag) => known.includes(flag));
    }
    return names.split("|").every((name) => {
      const next = commands.find((one) => one.name() === name);
      return next !== undefined && isThere(next, rest);
    });
  };
  const wrong = shown.filter((words) => !isThere(program, words));
  assert.deepEqual(
    wrong.map((words) => words.join(" ")),
    [],
  );
});
