import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { CallerSchema, Door, PolicyTotalsSchema } from "../../../gen/edge/v1/policy_pb.ts";
import { DeleteRuntimeRequestSchema, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { containerAskOf } from "../../../src/daemon/policy/container-ask.ts";
import { parsePolicyFile } from "../../../src/daemon/policy/file.ts";
import { judge } from "../../../src/daemon/policy/judge.ts";
import { rulesetOf } from "../../../src/daemon/policy/ruleset.ts";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const source = { path: "policy.yaml", what: "the policy file" };
const usual = { profile: "standard", quotas: { max_containers: 10n, max_memory: 512_000_000n } } as const;

type AgentInit = MessageInitShape<typeof AgentSpecSchema>;
type RuntimeInit = MessageInitShape<typeof RuntimeSpecSchema>;

const about = { caller: create(CallerSchema, { door: Door.HUB, actor: "operator/alice" }), nowMs: 0 };

async function rulesetFrom(yaml = "") {
  return rulesetOf(usual, await parsePolicyFile(yaml, source));
}

/** The rules that deny an agent, and the values that they tell. */
async function agent(init: AgentInit, { yaml = "", totals = {} } = {}) {
  const container = containerAskOf(create(AgentSpecSchema, { name: "poet", image: "nginx:1", ...init }));
  const given = { ...about, asked: { container }, totals: create(PolicyTotalsSchema, totals) };
  return judge(await rulesetFrom(yaml), given).map(({ rule, value }) => [rule, value]);
}

async function runtime(init: RuntimeInit, { yaml = "", totals = {} } = {}) {
  const container = containerAskOf(create(RuntimeSpecSchema, { name: "plc1", image: "nginx:1", ...init }));
  const given = { ...about, asked: { container }, totals: create(PolicyTotalsSchema, totals) };
  return judge(await rulesetFrom(yaml), given).map(({ rule, value }) => [rule, value]);
}

async function command(yaml: string, name: string, request: Message, door: Door = Door.HUB, nowMs = 0) {
  const caller = create(CallerSchema, { door, actor: "operator/alice" });
  const given = { caller, nowMs, asked: { command: name, request }, totals: create(PolicyTotalsSchema) };
  return judge(await rulesetFrom(yaml), given);
}

test("the profile standard leaves runtimes to their own settings and keeps agents within their quotas", async () => {
  assert.deepEqual(await agent({}), []);
  assert.deepEqual(await runtime({ devices: [{ nodePath: "/dev/ttyS0" }], capabilities: ["SYS_NICE"] }), []);
  assert.deepEqual(
    await runtime({ resources: { memoryBytes: 4n << 30n } }),
    [],
    "runtimes have no quota of memory",
  );
  assert.deepEqual(await agent({ resources: { memoryBytes: 512_000_001n } }), [
    ["quota.memory", "512000001"],
  ]);
  assert.deepEqual(await agent({}, { totals: { containers: 9n } }), []);
  assert.deepEqual(await agent({}, { totals: { containers: 10n } }), [["quota.containers", "11"]]);
  const mount = { nodePath: "/srv/models", path: "/models" };
  assert.deepEqual(
    await agent({ mounts: [mount] }),
    [["mount.allowed", "/srv/models"]],
    "no entry, no mount",
  );
});

test("a folder of the node is seen as far as lists say, whatever the path looks like", async () => {
  const yaml = "allow: {mounts: [/srv/models], writable_mounts: [/srv/out/]}";
  const cases: [nodePath: string, writable: boolean, denied: string[]][] = [
    ["/srv/models", false, []],
    ["/srv/models/llama", false, []],
    ["/srv/models", true, ["mount.writable"]],
    ["/srv/out/poems", true, []],
    ["/srv/models-private", false, ["mount.allowed"]],
    ["/srv/models/../secrets", false, ["mount.allowed"]],
    ["/srv/models/./../../etc", true, ["mount.allowed", "mount.writable"]],
    ["//srv/models", false, []], // The same folder, once it is written plainly.
    ["/", false, ["mount.allowed"]],
  ];
  for (const [nodePath, writable, denied] of cases) {
    const found = await agent({ mounts: [{ nodePath, path: "/data", writable }] }, { yaml });
    assert.deepEqual(
      found.map(([rule]) => rule),
      denied,
      nodePath,
    );
  }
});

test("the profile strict allows what is listed and nothing else", async () => {
  const pinned = `ghcr.io/acme/plc@${digest}`;
  const limits = { memoryBytes: 64n << 20n, pidsLimit: 64n };
  const strict = "profile: strict\n";
  assert.deepEqual(await agent({ image: "nginx" }, { yaml: strict }), [
    ["image.allowed", "nginx"],
    ["image.digest", "nginx"],
  ]);
  const listed = `${strict}allow: {images: ["ghcr.io/acme/*"]}\n`;
  assert.deepEqual(await agent({ image: pinned }, { yaml: listed }), []);
  assert.deepEqual(await agent({ image: `ghcr.io/acme/sub/plc@${digest}` }, { yaml: listed }), [
    ["image.allowed", `ghcr.io/acme/sub/plc@${digest}`],
  ]);
  const reaching = { image: pinned, network: { allow: [{ host: "api.example.com" }] } };
  assert.deepEqual(await agent(reaching, { yaml: listed }), [["network.allowed", "allow-list"]]);
  assert.deepEqual(await runtime({ image: pinned, capabilities: ["SYS_NICE"] }, { yaml: listed }), [
    ["capability.allowed", "SYS_NICE"],
    ["network.allowed", "node"],
    ["memory.limited", "0"],
    ["pids.limited", "0"],
  ]);
  const open = `${strict}allow: {images: [nginx], networks: [lan], devices: [ttyUSB*]}\n`;
  const plc = {
    image: `nginx@${digest}`,
    resources: limits,
    devices: [{ nodePath: "/dev/ttyUSB0" }],
    vnics: [{ name: "lan0" }],
  };
  assert.deepEqual(await runtime(plc, { yaml: open }), []);
  const other = { ...plc, devices: [{ nodePath: "/dev/sda" }] };
  assert.deepEqual(await runtime(other, { yaml: open }), [["device.allowed", "/dev/sda"]]);
});

test("quotas are per container, node, agent and tenant", async () => {
  const quotas =
    "{max_total_memory: 256Mi, max_containers_per_agent: 2, max_containers_per_tenant: 3, max_memory_per_tenant: 256Mi, max_runtimes: 2}";
  const yaml = `quotas: ${quotas}`;
  const tenant = { labels: [{ key: "tenant", value: "north" }] };
  const mib = (count: number) => BigInt(count << 20);
  assert.deepEqual(await agent({}, { yaml, totals: { memoryBytes: mib(128) } }), []);
  assert.deepEqual(await agent({}, { yaml, totals: { memoryBytes: mib(129) } }), [
    ["quota.total_memory", String(mib(257))],
  ]);
  assert.deepEqual(await agent({}, { yaml, totals: { agentContainers: 2n } }), [
    ["quota.agent_containers", "3"],
  ]);
  assert.deepEqual(await agent(tenant, { yaml, totals: { tenantContainers: 3n } }), [
    ["quota.tenant_containers", "4"],
  ]);
  assert.deepEqual(await agent(tenant, { yaml, totals: { tenantMemoryBytes: mib(200) } }), [
    ["quota.tenant_memory", String(mib(328))],
  ]);
  assert.deepEqual(await runtime({}, { yaml, totals: { runtimes: 2n } }), [["quota.runtimes", "3"]]);
});

test("rules of a file judge commands by door, actor, request and hour", async () => {
  const yaml = `
rules:
  - id: no.deletes.from.afar
    on: command
    deny_when: caller.door == Door.DOOR_HUB && command == "delete_runtime" && request.name.startsWith("press-")
    field: name
    value: request.name
    message: presses are deleted at the machine, so use --local
  - id: working.hours
    on: command
    deny_when: caller.actor == "operator/alice" && now.getHours("Europe/Berlin") >= 22
    message: not at night
`;
  const request = create(DeleteRuntimeRequestSchema, { name: "press-1" });
  const noon = Date.UTC(2026, 10, 21, 12);
  const denials = await command(yaml, "delete_runtime", request, Door.HUB, noon);
  assert.deepEqual(
    denials.map(({ rule, field, value, message }) => [rule, field, value, message]),
    [["no.deletes.from.afar", "name", "press-1", "presses are deleted at the machine, so use --local"]],
  );
  assert.deepEqual(await command(yaml, "delete_runtime", request, Door.LOCAL, noon), []);
  const night = await command(yaml, "get_node", request, Door.LOCAL, Date.UTC(2026, 10, 21, 21));
  assert.deepEqual(
    night.map(({ rule }) => rule),
    ["working.hours"],
    "it is 22 o'clock in Berlin",
  );
});

test("a rule that cannot be asked, or that comes to no answer, denies and says so", async () => {
  const yaml = `
rules:
  - {id: too.much, on: command, deny_when: request.spec.image == "x", message: m}
  - {id: no.answer, on: command, deny_when: request.name, message: m}
`;
  const denials = await command(yaml, "delete_runtime", create(DeleteRuntimeRequestSchema, { name: "a" }));
  assert.deepEqual(
    denials.map(({ rule, message }) => [rule, message]),
    [
      [
        "too.much",
        "the rule could not be asked, so it denies (field not found: spec): mend it in the policy file of this node",
      ],
      [
        "no.answer",
        "the rule could not be asked, so it denies (it comes to a, not to true or false): mend it in the policy file of this node",
      ],
    ],
  );
});
