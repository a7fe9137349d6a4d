import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/base/failure.ts";
import { tryCases } from "../../../src/daemon/policy/cases.ts";
import { parsePolicyFile } from "../../../src/daemon/policy/file.ts";
import { rulesetOf } from "../../../src/daemon/policy/ruleset.ts";

const source = { path: "policy.yaml", what: "the policy file" };
const usual = { profile: "standard", quotas: {} } as const;

/** What is wrong with a file: places and sentences. */
async function faults(yaml: string): Promise<string[]> {
  try {
    rulesetOf(usual, await parsePolicyFile(yaml, source));
    return [];
  } catch (thrown) {
    assert.ok(thrown instanceof Failure, String(thrown));
    return thrown.violations.map(({ field, message }) => `${field}: ${message}`);
  }
}

const rule = (denyWhen: string, on = "container") =>
  `rules:\n  - id: mine\n    on: ${on}\n    deny_when: ${JSON.stringify(denyWhen)}\n    message: m\n`;

test("a file with a fault is refused, and every fault is named with its line", async () => {
  assert.deepEqual(await faults("profil: strict\nallow:\n  imges: []\n"), [
    "allow.imges (line 3): is not known: did you mean images?",
    "profil (line 1): is not known: did you mean profile?",
  ]);
  assert.deepEqual(await faults("quotas: {max_memory: lots, max_containers: -1}"), [
    "quotas.max_containers (line 1): -1 is refused: must be a whole number, 0 for none",
    'quotas.max_memory (line 1): "lots" is refused: must be a size such as 512MB or 2Gi',
  ]);
  assert.deepEqual(await faults("allow: {mounts: [/a/../b, data], images: ['[z-a]']}"), [
    'allow.images[0] (line 1): "[z-a]" is no pattern: `*`, `**`, `?` and `[a-z]` stand for something',
    'allow.mounts[0] (line 1): "/a/../b" must be an absolute path without . and ..',
    'allow.mounts[1] (line 1): "data" must be an absolute path without . and ..',
  ]);
  assert.deepEqual(await faults(rule("true").replace("mine", "image.allowed")), [
    "rules[0].id (line 2): image.allowed is the id of an earlier rule",
  ]);
  assert.deepEqual(await faults("rules: [{id: a, on: command}]"), [
    "rules[0].deny_when (line 1): is missing",
    "rules[0].message (line 1): is missing",
  ]);
});

test("what an expression names that is not there is found when the file is read", async () => {
  const place = "rules[0].deny_when (line 4)";
  const cases: Record<string, string> = {
    "1 +": "at column 3: found + but expecting end of input",
    "container.nope": "there is no field nope at column 10",
    "contaner.image.tag == 'x'": "there is no contaner at column 1: did you mean container?",
    "nosuch(1)": "there is no function nosuch at column 1",
    "container.mounts.exists(m, m.nod == '')": "there is no field nod at column 29",
    "container.mounts[0].nodepath == ''": "there is no field nodepath at column 20: did you mean node_path?",
    "caller.door == Door.DOOR_HUBB": "there is no DOOR_HUBB at column 20: did you mean DOOR_HUB?",
    "quotas.max_container > 1": "there is no field max_container at column 7: did you mean max_containers?",
    "command == 'x'": "there is no command at column 1",
  };
  for (const [expression, sentence] of Object.entries(cases)) {
    assert.deepEqual(await faults(rule(expression)), [`${place}: ${sentence}`]);
  }
  const right = [
    "has(container.user_id) && container.user_id == 0u",
    "container.mounts.filter(m, m.writable).map(m, m.node_path).exists(p, p.isBelow(['/srv']))",
    "container.labels.exists_one(l, l.key == 'tenant' && l.value.isAmong(['a', 'b*']))",
    "caller.door == edge.v1.Door.DOOR_BROKER || type(container.name) == string",
    "now > timestamp('2026-01-01T00:00:00Z') ? size(container.egress) > 3 : false",
  ];
  for (const expression of right) assert.deepEqual(await faults(rule(expression)), [], expression);
  assert.deepEqual(await faults(rule("command == 'x' && request.spec.anything == 1", "command")), []);
});

test("a file's cases are tried, and tell what came instead", async () => {
  const file = await parsePolicyFile(
    `
profile: strict
allow: {images: [nginx]}
rules:
  - {id: hub.reads.only, on: command, deny_when: 'caller.door == Door.DOOR_HUB && !command.startsWith("get_")', message: m}
tests:
  - {name: reads, command: get_node, expect: allowed}
  - {name: deletes, caller: {door: hub}, command: delete_runtime, request: {name: a}, expect: [hub.reads.only]}
  - {name: here, caller: {door: local}, command: delete_runtime, request: {name: a}, expect: denied}
  - {name: latest, agent: {name: a, image: nginx}, expect: [image.digest]}
  - {name: full, agent: {name: a, image: nginx}, totals: {containers: 3}, expect: [image.digest, quota.containers]}
`,
    source,
  );
  const outcomes = tryCases(rulesetOf({ ...usual, quotas: { max_containers: 3n } }, file), file, 0);
  assert.deepEqual(
    outcomes.map(({ name, passed, difference }) => [name, passed, difference]),
    [
      ["reads", true, ""],
      ["deletes", true, ""],
      ["here", false, "it is allowed"],
      ["latest", true, ""],
      ["full", true, ""],
    ],
  );
  const broken = await parsePolicyFile(
    "tests:\n  - {name: a, command: get_nod, expect: allowed}\n  - {name: b, agent: {nam: b}, expect: allowed}\n",
    source,
  );
  assert.throws(() => tryCases(rulesetOf(usual), broken, 0), {
    kind: "invalid",
    message: /tests\[0\] \(line 2\): there is no command "get_nod"; tests\[1\] \(line 3\): .*nam/,
  });
});
