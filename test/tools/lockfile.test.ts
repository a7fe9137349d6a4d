import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

interface Locked {
  version?: string;
  integrity?: string;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const read = (file: string) =>
  JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")) as unknown;
const { packages } = read("package-lock.json") as { packages: Record<string, Locked> };

/** Where Node would find `name` from the package at `from`: in its own node_modules, or in one further up. */
function find(name: string, from: string): string | undefined {
  const steps = from === "" ? [] : from.split(/\/?node_modules\//).slice(1);
  const folders = steps.map((_, index) => steps.slice(0, index + 1).map((one) => `node_modules/${one}`));
  return [[], ...folders]
    .map((folder) => [...folder, `node_modules/${name}`].join("/"))
    .findLast((path) => path in packages);
}

/**
 * npm drops the packages of other platforms from a lockfile that it writes beside an existing node_modules
 * (https://github.com/npm/cli/issues/4828); `npm ci` on such a platform then refuses the lockfile or installs half.
 */
test("the lockfile names every package that any platform needs", () => {
  const missing = Object.entries(packages).flatMap(([from, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => find(name, from) === undefined)
      .map((name) => `${name}, wanted by ${from || "the project"}`),
  );
  assert.deepEqual(
    missing,
    [],
    "make the lockfile anew without node_modules: rm -r node_modules, npm install",
  );
});

test("every package that a machine of ours installs is sealed by a hash", () => {
  const open = Object.entries(packages)
    .filter(([path, { integrity }]) => path !== "" && integrity === undefined)
    .filter(([, { optional, os, cpu, libc }]) => {
      const isForUs =
        (os?.includes("linux") ?? true) &&
        (cpu === undefined || cpu.includes("x64") || cpu.includes("arm64")) &&
        (libc?.includes("glibc") ?? true);
      return optional !== true || isForUs;
    });
  assert.deepEqual(
    open.map(([path]) => path),
    [],
  );
});

test("the lockfile is that of package.json", () => {
  const wanted = read("package.json") as Locked;
  assert.deepEqual(packages[""]?.dependencies, wanted.dependencies);
  assert.deepEqual(packages[""]?.devDependencies, wanted.devDependencies);
});
