import assert from "node:assert/strict";
import { test } from "node:test";
import { create, equals, toJson } from "@bufbuild/protobuf";
import { RuntimeProfile, type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode, VnicMode } from "../../../gen/edge/v1/vnics_pb.ts";
import { RestartMode, StartCondition } from "../../../gen/edge/v1/workloads_pb.ts";
import { Failure } from "../../../src/base/failure.ts";
import { parseYamlDocuments } from "../../../src/base/yaml-documents.ts";
import { isCompose, wishesFromCompose } from "../../../src/cli/documents/compose.ts";
import { interpolated } from "../../../src/cli/documents/compose-interpolate.ts";

/** The runtimes that a Compose file means. */
async function read(text: string, env: Record<string, string> = {}): Promise<RuntimeSpec[]> {
  const [document] = await parseYamlDocuments(text, { path: "c.yml", what: "the file" });
  assert.ok(document && isCompose(document.value));
  const placeOf = (path: readonly (string | number)[], field: string) => `${document.lineOf(path)} ${field}`;
  return wishesFromCompose(document, { env, placeOf }).map(({ spec }) => spec);
}

/** What is refused, each with its line and path. */
async function refused(text: string, env: Record<string, string> = {}): Promise<string[]> {
  try {
    await read(text, env);
  } catch (thrown) {
    assert.ok(thrown instanceof Failure && thrown.kind === "invalid", String(thrown));
    return thrown.violations.map(({ field, message }) => `${field}: ${message}`);
  }
  return assert.fail("it was taken");
}

test("what of a Compose file has a meaning here is taken over, with Compose's own defaults", async () => {
  const [scada, db, plain] = await read(
    `
name: plant
version: "3.9"
x-log: &log { driver: json-file, options: { max-size: 20m, max-file: "5" } }
services:
  scada:
    image: ghcr.io/plant/scada:\${TAG:-1.0}
    container_name: scada-1
    entrypoint: /bin/scada --name 'line 7'
    command: ["--cost", "5$$"]
    environment: [MODE=on, SITE, NOBODY]
    labels: { site: graz, line: 7 }
    ports:
      - "127.0.0.1:8443:443"
      - { target: 80, published: "8080", host_ip: 127.0.0.1, protocol: tcp }
    volumes:
      - recipes_v2:/recipes:ro
      - { type: volume, source: data, target: /data }
      - { type: tmpfs, target: /cache, tmpfs: { size: 16m } }
    tmpfs: /tmp:size=8m
    shm_size: 128mb
    restart: unless-stopped
    depends_on: { db: { condition: service_healthy, required: true } }
    healthcheck: { test: [CMD, /check], interval: 1m30s, retries: 5, start_period: 40s }
    ulimits: { memlock: -1, nofile: { soft: 1024, hard: 2048 } }
    cap_add: [CAP_NET_RAW, sys_nice]
    devices: ["/dev/ttyS0:/dev/ttyPLC:rw", { source: /dev/i2c-1, permissions: r }]
    gpus: all
    mem_limit: 512m
    memswap_limit: 512m
    cpuset: "0,1"
    deploy: { replicas: 1, resources: { limits: { cpus: "0.5", memory: 512M, pids: 100 } } }
    stop_grace_period: 1m
    logging: *log
    networks: { lan: { ipv4_address: 192.168.1.50, mac_address: 02:AA:00:00:00:01 } }
    privileged: false
    pull_policy: missing
    x-note: nobody reads it
  db:
    image: postgres:16
    volumes: ["db:/var/lib/postgresql/data"]
    healthcheck: pg_isready
    networks: [plant_bus, default]
  plain: { image: busybox, healthcheck: { disable: true }, depends_on: [db] }
  debugger: { image: busybox, profiles: [debug], privileged: true }
volumes: { recipes_v2: , data: {}, db: { driver: local } }
networks:
  lan: { driver: macvlan, driver_opts: { parent: eth0.12 }, ipam: { config: [{ subnet: 192.168.1.0/24, gateway: 192.168.1.1 }] } }
  plant_bus: { driver: ipvlan, driver_opts: { parent: eth1, ipvlan_mode: l2 } }
`.replace("healthcheck: pg_isready", "healthcheck: { test: pg_isready }"),
    { SITE: "graz" },
  );
  const expected = create(RuntimeSpecSchema, {
    ...{ name: "scada-1", image: "ghcr.io/plant/scada:1.0", profile: RuntimeProfile.PLAIN },
    ...{ entrypoint: ["/bin/scada", "--name", "line 7"], command: ["--cost", "5$"] },
    env: [
      { name: "MODE", value: "on" },
      { name: "SITE", value: "graz" },
    ],
    labels: [
      { key: "site", value: "graz" },
      { key: "line", value: "7" },
    ],
    ports: [
      { nodePort: 8443, runtimePort: 443 },
      { nodePort: 8080, runtimePort: 80 },
    ],
    volumes: [{ name: "recipes-v2", path: "/recipes", readOnly: true }], // What is at /data is its own.
    tmpfs: [
      { path: "/cache", sizeBytes: 16n << 20n },
      { path: "/tmp", sizeBytes: 8n << 20n },
      { path: "/dev/shm", sizeBytes: 128n << 20n },
    ],
    restart: RestartMode.ALWAYS,
    after: [{ runtime: "db", condition: StartCondition.HEALTHY }],
    health: {
      ...{ exec: { command: ["/check"] }, intervalMs: 90_000, timeoutMs: 30_000, failures: 5 },
      startPeriodMs: 40_000,
    },
    ulimits: [
      { name: "memlock", soft: -1n, hard: -1n },
      { name: "nofile", soft: 1024n, hard: 2048n },
    ],
    capabilities: ["NET_RAW", "SYS_NICE"],
    devices: [
      { nodePath: "/dev/ttyS0", path: "/dev/ttyPLC" },
      { nodePath: "/dev/i2c-1", readOnly: true },
    ],
    gpus: {},
    resources: { memoryBytes: 512n << 20n, cpuset: "0,1", cpuQuotaMillis: 500, pidsLimit: 100n },
    ...{ stopGraceMs: 60_000, log: { fileBytes: 20_000_000n, files: 5 } },
    vnics: [
      {
        ...{
          name: "lan",
          parent: "eth0",
          vlanId: 12,
          mode: VnicMode.MACVLAN_BRIDGE,
          mac: "02:aa:00:00:00:01",
        },
        ...{ addressMode: AddressMode.STATIC, address: "192.168.1.50/24", gateway: "192.168.1.1" },
      },
    ],
  });
  assert.ok(
    scada && equals(RuntimeSpecSchema, scada, expected),
    JSON.stringify(scada && toJson(RuntimeSpecSchema, scada), null, 1),
  );
  assert.deepEqual(
    [db?.restart, db?.volumes, db?.health?.exec?.command],
    [
      RestartMode.NEVER,
      [{ $typeName: "edge.v1.Volume", name: "db", path: "/var/lib/postgresql/data", readOnly: false }],
      ["/bin/sh", "-c", "pg_isready"],
    ],
  );
  const [bus] = db?.vnics ?? [];
  assert.deepEqual(
    [bus?.name, bus?.mode, bus?.addressMode],
    ["plant-bus", VnicMode.IPVLAN_L2, AddressMode.DHCP],
  );
  assert.deepEqual([plain?.health?.disabled, plain?.after[0]?.condition], [true, StartCondition.RUNNING]);
  const services = "services: { debugger: { image: busybox, profiles: [debug] } }";
  assert.equal((await read(services, { COMPOSE_PROFILES: "debug" })).length, 1);
  assert.equal((await read(services)).length, 0);
});

test("what would reach beyond the container is refused by its name, with what there is instead", async () => {
  const told = await refused(`
services:
  plc_1:
    image: plc:4
    privileged: true
    network_mode: host
    pid: host
    build: .
    secrets: [key]
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock
      - ../conf:/etc/conf
      - /cache
      - shared:/a
      - undeclared:/b
    ports: ["8080:80", "0.0.0.0:81:81", "127.0.0.1:53:53/udp", "3000", "127.0.0.1:1-2:1-2"]
    restart: on-failure:3
    depends_on: { other: { condition: service_completed_successfully }, ghost: { condition: service_started } }
    deploy: { mode: global, placement: {}, resources: { limits: { memory: 1g }, reservations: {} } }
    mem_limit: 2g
    healthcheck: { start_interval: 1s, interval: soon }
    networks: [bridge, nowhere]
    cap_add: NET_RAW
    comand: x
    toString: y
  other: { image: "\${IMAGE:?say which}", volumes: ["shared:/a"], environment: { A: $UNSET, B: "\${" } }
volumes: { shared: { external: true, name: x } }
networks: { bridge: { driver: bridge } }
secrets: { key: { file: ./key } }
sevices: {}
`);
  const expected = [
    /^sevices: is not known; did you mean services\?/,
    /^secrets: are not there yet/,
    /^services\.plc_1\.privileged: would give it the whole machine: say cap_add and devices/,
    /^services\.plc_1\.network_mode: is not given: .*publish ports on 127\.0\.0\.1, or give it a vNIC/,
    /^services\.plc_1\.pid: is not given/,
    /^services\.plc_1\.build: cannot be done at the edge/,
    /^services\.plc_1\.secrets: are not there yet/,
    /^services\.plc_1\.volumes\.0: "\/var\/run\/docker\.sock" is the engine's socket, and whoever has it has the whole machine/,
    /^services\.plc_1\.volumes\.1: "\.\.\/conf" is a folder or file of the machine/,
    /^services\.plc_1\.volumes\.2: "\/cache" has no name/,
    /^services\.plc_1\.volumes\.4: "undeclared" is not among the volumes/,
    /^services\.plc_1\.ports\.0: would be open on all addresses of the node: say 127\.0\.0\.1:8080:80/,
    /^services\.plc_1\.ports\.1: would be open on all addresses/,
    /^services\.plc_1\.ports\.2: is udp/,
    /^services\.plc_1\.ports\.3: leaves the node's port to chance/,
    /^services\.plc_1\.ports\.4: is a range/,
    /^services\.plc_1\.restart: counts attempts/,
    /^services\.plc_1\.depends_on\.other\.condition: "service_completed_successfully" is not taken/,
    /^services\.plc_1\.depends_on\.ghost: "ghost" is no service of this file/,
    /^services\.plc_1\.deploy\.placement: is for swarms/,
    /^services\.plc_1\.deploy\.mode: must be replicated/,
    /^services\.plc_1\.deploy\.resources\.reservations: is not kept/,
    /^services\.plc_1\.mem_limit: is another than deploy\.resources\.limits says/,
    /^services\.plc_1\.healthcheck\.start_interval: is not kept/,
    /^services\.plc_1\.healthcheck\.interval: is "soon"; a duration such as 1m30s is needed/,
    /^services\.plc_1\.networks\.1: "nowhere" is not among the networks/,
    /^services\.plc_1\.cap_add: is "NET_RAW"; a list is needed/,
    /^services\.plc_1\.comand: is not known; did you mean command\?/,
    /^services\.plc_1\.toString: is not known/,
    /^services\.other\.image: needs the variable IMAGE, which is not set: say which/,
    /^services\.other\.environment\.A: needs the variable UNSET/,
    /^services\.other\.environment\.B: has a \$ that begins no variable/,
    /^services\.other\.volumes\.0: "shared" is that of service plc_1, too/,
    /^volumes\.shared\.name: has no meaning here/,
    /^volumes\.shared\.external: is somebody else's/,
    /^networks\.bridge: has the driver "bridge"/,
  ];
  const said = told.map((one) => one.replace(/^\d+ /, ""));
  for (const one of expected)
    assert.ok(
      said.some((each) => one.test(each)),
      `${one}\n${told.join("\n")}`,
    );
  assert.equal(told.length, expected.length, told.join("\n"));
  assert.ok(
    told.some((one) => one.startsWith("11 services.plc_1.volumes.0")),
    "with its line",
  );
  // What only the contract knows is told at the key that it comes from.
  assert.deepEqual(await refused("services:\n  web:\n    image: Busy Box\n    labels:\n      a b: c\n"), [
    '3 services.web.image: "Busy Box" must be an image reference such as ghcr.io/owner/name:tag (lower-case name, optional :tag or @sha256:digest)',
    "4 services.web.labels[0].key: \"a b\" must be letters, digits, '.', '/', '_' or '-', beginning and ending with a letter or digit",
  ]);
});

/** Every key of a service in the Compose Specification, from its JSON schema. */
const specified =
  `annotations attach build blkio_config cap_add cap_drop cgroup cgroup_parent command configs container_name
  cpu_count cpu_percent cpu_shares cpu_quota cpu_period cpu_rt_period cpu_rt_runtime cpus cpuset credential_spec depends_on deploy
  develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file label_file environment expose extends
  provider external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation labels links logging mac_address
  mem_limit mem_reservation mem_swappiness memswap_limit network_mode models networks oom_kill_disable oom_score_adj pid pids_limit
  platform ports post_start pre_stop privileged profiles pull_policy pull_refresh_after read_only restart runtime scale security_opt
  shm_size secrets sysctls stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits user uts userns_mode volumes
  volumes_from working_dir`.split(/\s+/);

test("no key that Compose knows is called unknown, and none passes in silence", async () => {
  const nothing = { ...Object.fromEntries(specified.map((key) => [key, { y: [{}] }])), profiles: [] };
  const told = await refused(JSON.stringify({ services: { web: nothing } }));
  for (const key of specified.filter((one) => one !== "profiles")) {
    const about = told.filter((said) => said.startsWith(`1 services.web.${key}`));
    assert.ok(about.length > 0, `${key} passed`);
    assert.ok(!about.some((said) => said.includes("is not known")), about.join());
  }
});

test("variables are replaced as Compose does", () => {
  const env = { A: "a", EMPTY: "" };
  const of = (text: string) => {
    const wrong: string[] = [];
    const value = interpolated(text, env, (_, message) => void wrong.push(message));
    return wrong[0] ?? value;
  };
  const cases: [string, string][] = [
    [`$A-$$A-\${A}`, "a-$A-a"],
    [`\${B:-b}\${EMPTY:-e}\${EMPTY-e}`, "be"],
    [`\${B:-\${C:-\${A}}}`, "a"],
    [`\${A:+yes}\${EMPTY:+no}\${EMPTY+set}`, "yesset"],
    [`\${A:?why}`, "a"],
    ["$B", `needs the variable B, which is not set; set it, or give a default as in \${B:-value}`],
    [
      `\${EMPTY:?no site}`,
      `needs the variable EMPTY, which is not set: no site; set it, or give a default as in \${EMPTY:-value}`,
    ],
    ["100 $", 'has a $ that begins no variable at "$": write $$ for a dollar'],
    [`\${A/x/y}`, `has a $ that begins no variable at "\${A/x/y}": write $$ for a dollar`],
    [`\${B:-`.repeat(50) + "}".repeat(50), "has variables within variables, more than 10 deep"],
  ];
  for (const [text, expected] of cases) assert.equal(of(text), expected, text);
});
