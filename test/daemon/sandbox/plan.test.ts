import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { abilitiesOf, makingOf, tellsCallsOn } from "../../../src/daemon/sandbox/abilities.ts";
import { confinementViolations } from "../../../src/daemon/sandbox/check.ts";
import { countedIn, firstProcess, readable, saidIn } from "../../../src/daemon/sandbox/first-process.ts";
import { madeFrom } from "../../../src/daemon/sandbox/init/programs.ts";
import { type CellPlan, cellOptions, programOf } from "../../../src/daemon/sandbox/plan.ts";
import { memoryFolders } from "../../../src/daemon/sandbox/resources.ts";
import type { SpecInit } from "./room.ts";

const spec = (init: SpecInit) => create(AgentSpecSchema, { name: "poet", image: "poet:1", ...init });

function planned(init: SpecInit, change: Partial<CellPlan> = {}) {
  return cellOptions({
    ask: {
      id: "cell-1",
      agent: "poet",
      version: 3,
      spec: spec(init),
      imageId: "sha256:1",
      commandId: "cmd-1",
    },
    image: { entrypoint: ["/run"], command: ["it"], volumes: [] },
    ...{ instanceId: "0123456789", folder: "/node/cells/cell-1", mounts: [], env: {}, isDebug: false },
    ...{ holderId: "holder", runtime: undefined, tellsCalls: false, ...change },
  });
}

test("what is not given is forbidden, whatever a manifest leaves open", () => {
  const { HostConfig = {}, ...options } = planned({});
  assert.deepEqual(HostConfig, {
    NetworkMode: "container:holder",
    RestartPolicy: { Name: "no" },
    ...{ Privileged: false, PublishAllPorts: false, AutoRemove: false },
    CapDrop: ["ALL"],
    SecurityOpt: ["no-new-privileges"],
    ReadonlyRootfs: true,
    ...{ IpcMode: "private", CgroupnsMode: "private" },
    ...{ PidsLimit: 65, Memory: 2 ** 27, MemorySwap: 2 ** 27, CpuPeriod: 100_000, CpuQuota: 100_000 },
    OomScoreAdj: 500,
    Ulimits: [
      { Name: "core", Soft: 0, Hard: 0 },
      { Name: "nofile", Soft: 1024, Hard: 4096 },
      { Name: "msgqueue", Soft: 0, Hard: 0 },
    ],
    ShmSize: 2 ** 20,
    Tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,mode=1777,size=66060288,nr_inodes=16128" },
    Mounts: [
      {
        ...{ Type: "bind", Source: "/node/cells/cell-1", Target: "/run/orchestrator", ReadOnly: true },
        BindOptions: { Propagation: "rprivate", NonRecursive: true },
      },
    ],
    LogConfig: { Type: "local", Config: { compress: "false", "max-size": "10000000", "max-file": "3" } },
  });
  assert.deepEqual(
    [options.User, options.Entrypoint, options.Cmd, options.Healthcheck, options.StdinOnce],
    ["65532:65532", ["/run/orchestrator/init", "/tmp:/dev/shm"], ["/run", "it"], { Test: ["NONE"] }, true],
  );
});

test("a manifest's labels and environment never replace ours", () => {
  const { Labels, Env } = planned(
    { labels: [{ key: "tenant", value: "a" }], env: [{ name: "A", value: "1" }] },
    { env: { LENT: "2", ORCHESTRATOR_AGENT: "other" }, isDebug: true },
  );
  assert.deepEqual(Labels, {
    ...{ tenant: "a", "edge.instance": "0123456789", "edge.cell": "cell-1", "edge.agent": "poet" },
    ...{ "edge.agent-version": "3", "edge.command": "cmd-1" },
  });
  assert.deepEqual(
    new Set(Env),
    new Set([
      ...["A=1", "LENT=2", "ORCHESTRATOR_AGENT=poet", "ORCHESTRATOR_DEBUG=true"],
      ...[
        "ORCHESTRATOR_BROKER=/run/orchestrator/broker.sock",
        "ORCHESTRATOR_SECRETS=/run/orchestrator/secrets",
      ],
    ]),
  );
});

test("the program is the manifest's where it says something, else the image's", () => {
  const image = { entrypoint: ["/entry"], command: ["a"] };
  const script = "/run/orchestrator/agent/script";
  const cases: [SpecInit, string[]][] = [
    [{}, ["/entry", "a"]],
    [{ command: ["b"] }, ["/entry", "b"]],
    [{ entrypoint: ["/own"] }, ["/own"]],
    [{ entrypoint: ["/own"], command: ["b"] }, ["/own", "b"]],
    [{ script: "print(1)", command: ["python3", "-u"] }, ["/entry", "python3", "-u", script]],
    [{ script: "print(1)", command: ["-u"], entrypoint: ["python3"] }, ["python3", "-u", script]],
  ];
  for (const [init, program] of cases) assert.deepEqual(programOf(spec(init), image), program);
});

test("all that can be written shares disk_bytes", () => {
  const mebibytes = (count: number) => BigInt(count) << 20n;
  const sizes = (init: SpecInit, volumes: string[] = []) =>
    memoryFolders(spec(init), volumes).folders.map(({ path, sizeBytes }) => [path, sizeBytes / 2 ** 20]);
  assert.deepEqual(sizes({}), [["/tmp", 63]]);
  assert.deepEqual(sizes({ resources: { diskBytes: mebibytes(1000) } }), [["/tmp", 64]]);
  assert.deepEqual(sizes({ tmpfs: [{ path: "/tmp", sizeBytes: mebibytes(8) }] }), [["/tmp", 8]]);
  const tmpfs = [{ path: "/data", sizeBytes: mebibytes(32) }, { path: "/cache" }];
  assert.deepEqual(sizes({ tmpfs, resources: { diskBytes: mebibytes(63) } }, ["/var/lib"]), [
    ...[
      ["/data", 32],
      ["/cache", 10],
      ["/tmp", 10],
      ["/var/lib", 10],
    ],
  ]);
  const [violation] = memoryFolders(
    spec({ tmpfs: [{ path: "/data", sizeBytes: mebibytes(64) }] }),
    [],
  ).violations;
  assert.equal(violation?.field, "spec.resources.disk_bytes");
  assert.match(
    violation.message,
    /^67108864 bytes are less than .* at least 68222976 \(\/data, \/tmp, \/dev\/shm\)$/,
  );
});

test("nothing is mounted where it would hide the kernel or us, and names of ours are ours", () => {
  const violations = confinementViolations(
    spec({
      tmpfs: [{ path: "/proc/x" }, { path: "/run" }, { path: "/a/../b" }, { path: "/fine" }],
      mounts: [{ nodePath: "/srv", path: "/fine" }],
      env: [{ name: "ORCHESTRATOR_BROKER", value: "x" }],
      script: "echo",
    }),
  );
  assert.deepEqual(
    violations.map(({ field }) => field),
    [
      ...["spec.tmpfs[0].path", "spec.tmpfs[1].path", "spec.tmpfs[2].path", "spec.mounts[0].path"],
      ...["spec.env[0].name", "spec.command"],
    ],
  );
});

test("an isolation is had as it is asked for, or refused", () => {
  const info = {
    Runtimes: { runc: { path: "runc" }, crun: { path: "/usr/bin/crun" }, runsc: { path: "/usr/bin/runsc" } },
    DefaultRuntime: "runc",
    SecurityOptions: ["name=seccomp,profile=default"],
    ...{ MemoryLimit: true, PidsLimit: true, CpuCfsQuota: true },
  };
  assert.deepEqual(abilitiesOf(info).isolations, ["container", "oci:crun", "oci:runc", "oci:runsc"]);
  const making = (isolation: string, hasNetwork = false) => makingOf({ isolation, hasNetwork }, info);
  assert.deepEqual(making(""), { runtime: undefined, joins: true });
  assert.deepEqual(making("oci:crun", true), { runtime: "crun", joins: true });
  assert.deepEqual(making("oci:runsc"), { runtime: "runsc", joins: false });
  assert.throws(() => making("oci:runsc", true), { kind: "unsupported", message: /can have no network/ });
  assert.throws(() => making("microvm"), {
    kind: "unsupported",
    message: /it has container, oci:crun, oci:runc/,
  });
  const unconfined = { ...info, SecurityOptions: ["name=seccomp,profile=unconfined"], PidsLimit: false };
  assert.throws(() => makingOf({ isolation: "", hasNetwork: false }, unconfined), {
    ...{ kind: "unsupported", message: /no seccomp, no limits of processes: orchestrator doctor/ },
  });
  const all = "kill_process kill_thread trap errno user_notif trace log allow\n";
  assert.equal(tellsCallsOn(info, all), true);
  assert.equal(tellsCallsOn(info, all.replace("user_notif ", "")), false);
  assert.equal(
    tellsCallsOn({ ...info, SecurityOptions: ["name=seccomp,profile=/etc/own.json"] }, all),
    false,
  );
  assert.equal(tellsCallsOn({ ...info, BuildahVersion: "1.33" }, all), false);
});

test("the first process was compiled from the source that is here", () => {
  const hash = createHash("sha256");
  for (const name of ["init.c", "kernel.h", "refused.h", "say.h"]) {
    hash.update(readFileSync(new URL(`../../../src/daemon/sandbox/init/${name}`, import.meta.url)));
  }
  assert.equal(madeFrom, hash.digest("hex"), "run tools/cell-init.sh");
  for (const machine of ["x64", "arm64"]) assert.match(firstProcess(machine).toString("latin1"), /^\x7fELF/);
  assert.throws(() => firstProcess("riscv64"), { kind: "unsupported", message: /arm64 and x64/ });
});

test("only what the first process said counts", () => {
  const secret = Buffer.from("abcdefgh");
  const says = (text: string, by = secret) => `orchestrator-end ${by.toString("hex")} ${text}`;
  const lines = [
    `half a line${says("/sys/fs/cgroup/cpuacct/cpuacct.usage 1500000 ")}`,
    says("/sys/fs/cgroup/cpu.stat usage_usec 7000 user_usec 1 "),
    says("/sys/fs/cgroup/memory.peak 4096 "),
    says("/sys/fs/cgroup/memory.events low 0 high 0 max 3 oom 1 oom_kill 2 "),
    says("/sys/fs/cgroup/pids.events max 5 "),
    says("full /tmp"),
    says("refused 1 165 3 perl"),
    says("full /forged", Buffer.from("guessed!")),
  ];
  const said = lines.flatMap((line) => saidIn(line, secret) ?? []);
  assert.deepEqual(countedIn(said), {
    ...{ cpuMs: 7, memoryPeakBytes: 4096, oomKills: 2, pidsRefused: 5, full: ["/tmp"] },
    refused: [{ machine: 1, call: 165, count: 3, by: "perl" }],
  });
  assert.deepEqual(lines.map(readable), ["half a line", ...Array.from(lines.slice(1), () => undefined)]);
});
