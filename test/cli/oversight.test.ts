import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Audit, AuditKind, type VerifyAuditRequest } from "../../gen/edge/v1/audit_pb.ts";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { Door, Policy } from "../../gen/edge/v1/policy_pb.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";
import { type Routes, standInDaemon, standInHub } from "./stand-in.ts";

const at = timestampFromMs(Date.UTC(2026, 10, 21, 21, 20, 9));

/** A node that denies, and whose trail lost an entry. */
function routes(verified: VerifyAuditRequest[]): Routes {
  return (router) => {
    router.service(Policy, {
      getPolicy: () => ({
        ...{ profile: "standard", path: "/etc/orchestrator/policy.yaml", sha256: "ab", loadedAt: at },
        problem: "quotas.max_runtime (line 8): is not known: did you mean max_runtimes?",
        values: [
          { name: "allow.images", values: ["docker.io/library/nginx", "ghcr.io/acme/**"] },
          { name: "allow.mounts", values: [] },
          { name: "quotas.max_memory", values: ["268435456"] },
          { name: "quotas.max_runtimes", values: ["0"] },
        ],
        rules: [{ id: "mine", subject: "command", denyWhen: "command == 'x'", message: "not now" }],
      }),
      checkPolicy: ({ subject }) =>
        subject.case === "runtime"
          ? { allowed: true }
          : {
              denials: [{ rule: "image.tag", field: "spec.image", value: "poet", message: "name a version" }],
            },
      testPolicy: ({ text }) => ({
        cases: [
          { name: text.trim(), passed: true, deniedBy: ["image.tag"] },
          ...(text.includes("bad") ? [{ name: "other", difference: "it is allowed" }] : []),
        ],
      }),
    });
    router.service(Audit, {
      listAudit: ({ afterSequence }) => ({
        lastSequence: 7n,
        entries:
          afterSequence === 7n
            ? []
            : [
                {
                  ...{
                    sequence: 7n,
                    at,
                    kind: AuditKind.DENIAL,
                    action: "create_runtime",
                    subject: "runtime/press-1",
                  },
                  caller: { door: Door.HUB, actor: "operator/alice" },
                  ...{ outcome: "denied", detail: "image.tag" },
                },
              ],
      }),
      verifyAudit: (request) => {
        verified.push(request);
        if (request.checkpoints.length === 0) return { intact: true, entries: 7n };
        return { entries: 6n, faults: [{ sequence: 4n, problem: "entry 3 was removed" }] };
      },
    });
  };
}

async function world(t: TestContext) {
  const folder = tempFolder();
  const verified: VerifyAuditRequest[] = [];
  const daemon = await standInDaemon(join(folder.path, "d.sock"), routes(verified));
  const hub = await standInHub(folder.path, (router) => {
    routes(verified)(router);
    router.service(Fleet, {
      listNodes: () => ({ nodes: [{ id: "n-1", hostName: "press", connected: true }] }),
      async *watchEvents() {
        const fact = { case: "auditCheckpoint", value: { sequence: 5n, keySha256: "ab" } } as const;
        yield { position: 1n, event: { fact } };
        yield { position: 2n, event: { fact: { case: "daemonStarted", value: {} } } };
      },
    });
  });
  t.after(async () => {
    await daemon[Symbol.asyncDispose]();
    await hub[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });
  const local = (...args: string[]) =>
    ask(["--socket", join(folder.path, "d.sock"), ...args], { folder: folder.path });
  const flags = ["--hub", `https://127.0.0.1:${hub.port}`, "--ca-file", hub.caFile];
  const token = ["--token-file", join(folder.path, "admin.token")];
  const remote = (...args: string[]) => ask([...flags, ...token, ...args], { folder: folder.path });
  return { folder: folder.path, local, remote, verified };
}

test("policy show tells lists, quotas, rules, and what is wrong", async (t) => {
  const { local } = await world(t);
  const { code, out } = await local("policy", "show", "--expressions");
  assert.equal(code, 0);
  assert.equal(
    out,
    `profile         standard
file            /etc/orchestrator/policy.yaml
sha256          ab
in force since  2026-11-21 21:20:09Z
PROBLEM         quotas.max_runtime (line 8): is not known: did you mean max_runtimes?

LIST OR QUOTA        ALLOWED
allow.images         docker.io/library/nginx, ghcr.io/acme/**
allow.mounts         nothing
quotas.max_memory    256 MiB
quotas.max_runtimes  no limit

RULE  JUDGES   OF    FIELD  DENIES WHEN
mine  command  file  -      command == 'x'
`,
  );
});

test("policy check and policy test exit with 1 when something is denied or fails", async (t) => {
  const { local, folder } = await world(t);
  const [wishes, good, bad] = ["wishes.yaml", "good.yaml", "bad.yaml"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(
    wishes,
    "apiVersion: edge.v1\nkind: Runtime\nspec: {name: plc1, image: nginx}\n---\napiVersion: edge.v1\nkind: Agent\nspec: {name: poet, image: poet}\n",
  );
  const checked = await local("policy", "check", "-f", wishes);
  assert.deepEqual(
    [checked.code, checked.out, checked.err],
    [
      1,
      "runtime plc1: the node's policy allows it\nagent poet: the node's policy denies it\n  image.tag: spec.image is poet: name a version\n",
      "",
    ],
  );
  writeFileSync(good, "a good case\n");
  writeFileSync(bad, "a bad case\n");
  const passed = await local("policy", "test", "-f", good);
  assert.deepEqual(
    [passed.code, passed.out],
    [0, "CASE         OUTCOME  DENIED BY  WHY\na good case  passed   image.tag  -\n"],
  );
  const failed = await local("policy", "test", "-f", bad);
  assert.equal(failed.code, 1);
  assert.match(failed.out, /^other +FAILED +- +it is allowed$/m);
  const missing = await local("policy", "test", "-f", join(folder, "none.yaml"));
  assert.deepEqual([missing.code, missing.err.includes("none.yaml is not there")], [3, true]);
});

test("audit verify hands in what the hub keeps, and names what was changed", async (t) => {
  const { local, remote, verified } = await world(t);
  const here = await local("audit", "verify");
  assert.deepEqual(
    [here.code, here.out],
    [
      0,
      "7 entries are as they were written\nnothing of it is signed yet: a node signs when it is enrolled\n",
    ],
  );
  const there = await remote("audit", "verify");
  assert.deepEqual(
    [there.code, there.out],
    [
      1,
      "the audit trail is NOT as it was written (6 entries, and with 1 checkpoint that the hub keeps):\n  entry 4: entry 3 was removed\n",
    ],
  );
  assert.deepEqual(
    verified.map(({ checkpoints }) => checkpoints.length),
    [0, 1],
  );
});

test("audit list is a table, and audit export JSON lines to the end", async (t) => {
  const { local } = await world(t);
  const { out } = await local("audit", "list", "--kind", "denial", "--since", "2h");
  assert.equal(
    out,
    `ENTRY  WHEN                  KIND    BY                  WHAT            ABOUT            OUTCOME  DETAIL
7      2026-11-21 21:20:09Z  denial  operator/alice@hub  create_runtime  runtime/press-1  denied   image.tag
`,
  );
  const exported = await local("audit", "export");
  const [line, ...more] = exported.out.trimEnd().split("\n");
  assert.deepEqual([JSON.parse(line ?? "").sequence, more], ["7", []]);
});
