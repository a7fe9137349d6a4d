/** The house rules that can be read off the sources. A broken one is told with its reason. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { circles, wrongImports } from "./architecture/judge.ts";
import { ambient, areas, longFiles, maxLines, outside } from "./architecture/rules.ts";
import { parseSource, readSources, root } from "./architecture/sources.ts";

const sources = [...readSources("src"), ...readSources("gen")];
const nothing: string[] = [];

test("imports go where the rules allow", () => {
  assert.deepEqual(sources.flatMap(wrongImports), nothing);
});

test("a forbidden import is told with its reason", () => {
  const told = (path: string, text: string) => wrongImports(parseSource(path, text));
  const cases: [path: string, text: string, why: RegExp | undefined][] = [
    ["src/hub/hub.ts", 'import { x } from "../daemon/work/index.ts";', /programs never import one another/],
    [
      "src/base/x.ts",
      'import { y } from "../wire/tls.ts";',
      /nothing of ours, because it knows none of our nouns/,
    ],
    ["src/wire/x.ts", 'export * from "../cli/table.ts";', /may import base, gen/],
    ["src/hub/api/x.ts", 'import { S } from "../store/index.ts";', /never touches the store/],
    ["src/hub/api/x.ts", 'import { allows } from "../operators/roles.ts";', /entered through its index\.ts/],
    [
      "src/daemon/runtimes/x.ts",
      'import { Work } from "../work/index.ts";',
      /only the types of daemon\/work/,
    ],
    ["src/daemon/runtimes/x.ts", 'import type { Ask } from "../work/index.ts";', undefined],
    ["src/daemon/runtimes/x.ts", 'import { type Ask } from "../work/index.ts";', undefined],
    ["src/daemon/runtimes/x.ts", 'const x = await import("../control/index.ts");', /without any line/],
    ["src/daemon/novel/x.ts", 'import { x } from "../../base/log.ts";', /say there what it may import/],
    ["src/orchestrator.ts", 'import { run } from "./hub/main.ts";', /loaded when it is meant/],
    ["src/orchestrator.ts", 'const x = () => import("./hub/main.ts");', undefined],
    ["src/cli/x.ts", 'import { x } from "../../test/fixtures/folder.ts";', /cli may import base, wire, gen/],
    ["src/cli/x.ts", 'import { DatabaseSync } from "node:sqlite";', /only src\/base\/sql\.ts may/],
  ];
  for (const [path, text, why] of cases) {
    const said = told(path, text);
    if (why === undefined) assert.deepEqual(said, nothing, `${path}: ${text}`);
    else assert.match(said.join("\n"), why);
  }
});

test("imports run in no circle: of two files at most one needs the other, if only its types", () => {
  assert.deepEqual(circles(sources), nothing);
  const told = circles([
    parseSource("src/a.ts", 'import { b } from "./b.ts";'),
    parseSource("src/b.ts", 'import type { C } from "./c.ts";'),
    parseSource("src/c.ts", 'export { a } from "./a.ts";'),
  ]);
  assert.deepEqual(told, ["src/c.ts -> src/a.ts -> src/b.ts -> src/c.ts"]);
});

test("the rules have no circle: of two rooms at most one depends on the other", () => {
  const below = (area: string): string[] => {
    const { mayImport = [], mayKnow = [] } = areas[area] ?? {};
    return [...mayImport, ...mayKnow];
  };
  const around = (area: string, way: string[]): string[] =>
    way.includes(area)
      ? [[...way, area].join(" -> ")]
      : below(area).flatMap((next) => around(next, [...way, area]));
  assert.deepEqual(
    Object.keys(areas).flatMap((area) => around(area, [])),
    nothing,
  );
});

test("the rules speak of what is there", () => {
  const gone = Object.entries(areas).flatMap(([area, { mayImport = [], mayKnow = [] }]) =>
    [area, ...mayImport, ...mayKnow].filter(
      (one) => !existsSync(join(root, one === "gen" ? "gen" : `src/${one}`)),
    ),
  );
  assert.deepEqual([...new Set(gone)], nothing);
  const { dependencies } = readJson("package.json") as { dependencies: Record<string, string> };
  const unknown = Object.keys(outside).filter((name) => !name.startsWith("node:") && !(name in dependencies));
  assert.deepEqual(unknown, nothing);
});

test("docs/structure.md shows the rules as they are", () => {
  const rows = Object.entries(areas).map(([area, { mayImport = [], mayKnow = [], because }]) => {
    const inside = (one: string) => one.replace(`${area.split("/")[0]}/`, "");
    const cell = (list: readonly string[]) => list.map(inside).join(", ") || "-";
    return `| ${area} | ${cell(mayImport)} | ${cell(mayKnow)} | ${because} |`;
  });
  const table = [
    "| area | imports | knows the types of | because |",
    "| --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
  const page = readFileSync(join(root, "docs/structure.md"), "utf8");
  assert.ok(page.includes(table), `docs/structure.md should show this table:\n${table}`);
});

test("every room opens with index.ts, which begins with what the room is", () => {
  const rooms = Object.keys(areas).filter((area) => area.includes("/"));
  const silent = rooms.filter(
    (room) => !sources.find(({ path }) => path === `src/${room}/index.ts`)?.beginsWithComment,
  );
  assert.deepEqual(silent, nothing);
});

test("no file has moved a second idea in", () => {
  const long = sources.filter(({ path, lines }) => path.startsWith("src/") && lines > maxLines);
  assert.deepEqual(
    long.filter(({ path }) => !(path in longFiles)).map(({ path, lines }) => `${path} has ${lines} lines`),
    nothing,
  );
  const short = Object.keys(longFiles).filter((file) => !long.some(({ path }) => path === file));
  assert.deepEqual(short, nothing, "these are no longer long: take them off the list");
});

test("no module has state: what lives is made in a program's wiring and closed there", () => {
  const state = sources.flatMap(({ path, moduleState }) => moduleState.map((name) => `${path}: ${name}`));
  assert.deepEqual(
    state.filter((one) => !(one in ambient)),
    nothing,
  );
});

test("no file is a drawer: names say what is inside", () => {
  const drawer = /(^|[/-])(utils?|helpers?|managers?|common|misc|shared)([-.]|\/|$)/;
  const drawers = sources.map(({ path }) => path).filter((path) => drawer.test(path));
  assert.deepEqual(drawers, nothing);
});

test("decisions are numbered one by one, and say what would change our mind", () => {
  const decisions = readdirSync(join(root, "docs/decisions")).sort();
  for (const [index, file] of decisions.entries()) {
    const number = String(index + 1).padStart(4, "0");
    assert.match(file, new RegExp(`^${number}-[a-z0-9-]+\\.md$`));
    const text = readFileSync(join(root, "docs/decisions", file), "utf8");
    assert.ok(text.startsWith(`# ${number} `), `${file} begins with "# ${number} "`);
    assert.match(text, /change our mind/, file);
  }
});

test("no tracked file names a place on somebody's machine", () => {
  const machinePath = /(?<![\w.*/$})-])\/(work|home|Users)\/\w+/;
  const found = trackedFiles().flatMap((file) => {
    const text = readFileSync(join(root, file), "utf8");
    return text
      .split("\n")
      .flatMap((line, index) => (machinePath.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : []));
  });
  assert.deepEqual(found, nothing);
});

/** As git sees them; a deletion that is not committed yet counts. */
function trackedFiles(): string[] {
  return execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" })
    .split("\0")
    .filter((file) => file !== "" && existsSync(join(root, file)) && statSync(join(root, file)).isFile());
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}
