import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";

const root = new URL("../..", import.meta.url).pathname;
const read = (file: string) => readFileSync(root + file, "utf8");
const { devDependencies, scripts } = JSON.parse(read("package.json")) as {
  devDependencies: { node: string };
  scripts: Record<string, string>;
};
const workflows = globSync(".github/workflows/*.yaml", { cwd: root });

test("one version of Node everywhere: packages, images, workflows", () => {
  const images = globSync("{Dockerfile,install/*Dockerfile}", { cwd: root });
  const named = [...images, ...workflows].flatMap((file) =>
    [...read(file).matchAll(/(?:\bnode:|node-version: )(\d[\d.]*)/g)].map(
      ([, version]) => `${file}: ${version}`,
    ),
  );
  assert.ok(named.length > 3);
  assert.deepEqual(
    named.filter((one) => !one.endsWith(`: ${devDependencies.node}`)),
    [],
  );
});

test("workflows run scripts that exist, and only what they were given the right to do", () => {
  for (const file of workflows) {
    const workflow = parse(read(file)) as {
      permissions?: unknown;
      jobs: Record<string, { "timeout-minutes"?: number }>;
    };
    assert.ok(workflow.permissions, `${file} says its permissions`);
    for (const [name, job] of Object.entries(workflow.jobs)) {
      assert.ok(job["timeout-minutes"], `${file}: job ${name} has a time limit`);
    }
    for (const [, script] of read(file).matchAll(/npm run ([\w:-]+)/g)) {
      assert.ok(script !== undefined && script in scripts, `${file}: npm run ${script}`);
    }
  }
});
