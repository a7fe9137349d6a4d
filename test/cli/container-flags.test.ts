import assert from "node:assert/strict";
import { test } from "node:test";
import { create, equals } from "@bufbuild/protobuf";
import { Command } from "commander";
import { RuntimeSchema, RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import {
  type ContainerFlags,
  fromContainerFlags,
  withContainerFlags,
} from "../../src/cli/container-flags.ts";
import { containerRows } from "../../src/cli/container-tell.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";

const spec = create(RuntimeSpecSchema, {
  entrypoint: ["/bin/sh", "-c"],
  volumes: [
    { name: "recipes", path: "/recipes", readOnly: true },
    { name: "build", path: "/workdir/build" },
  ],
  tmpfs: [{ path: "/tmp", sizeBytes: 128n << 20n }, { path: "/scratch" }],
  ulimits: [
    { name: "nofile", soft: 1024n, hard: 2048n },
    { name: "core", soft: 0n, hard: 0n },
    { name: "memlock", soft: -1n, hard: -1n },
  ],
  capabilities: ["NET_RAW", "SYS_NICE"],
  resources: { cpuWeight: 200, cpuQuotaMillis: 1500 },
  log: { fileBytes: 1n << 20n, files: 5 },
});

test("flags of a container mean the message of the contract", () => {
  const command = withContainerFlags(new Command("create")).exitOverride();
  command.parse(
    [
      ...["--entrypoint", "/bin/sh", "--entrypoint=-c", "--volume", "recipes:/recipes:ro"],
      ...["--volume", "build:/workdir/build", "--tmpfs", "/tmp:128Mi", "--tmpfs", "/scratch"],
      ...["--ulimit", "nofile=1024:2048", "--ulimit", "core=0", "--ulimit", "memlock=unlimited"],
      ...["--cap-add", "net_raw", "--cap-add", "CAP_SYS_NICE", "--cpu-weight", "200", "--cpu-quota", "1.5"],
      ...["--log-size", "1Mi", "--log-files", "5"],
    ],
    { from: "user" },
  );
  const given = create(RuntimeSpecSchema, fromContainerFlags(command.opts<ContainerFlags>()));
  assert.ok(equals(RuntimeSpecSchema, given, spec), JSON.stringify(containerRows(told(given))));
});

test("what a container is made of is told as people read it", () => {
  const rows = containerRows(told(create(RuntimeSpecSchema, { ...spec, command: ["echo it's; exit 1"] })));
  assert.deepEqual(
    rows.map((row) => row.join(": ")),
    [
      ...[
        "profile: openplc",
        "entrypoint: /bin/sh -c",
        "command: 'echo it'\\''s; exit 1'",
        "memory: no limit",
      ],
      ...["cpus: all", "cpu weight: 200, where others have 100", "cpu quota: 1.5 of a CPU in each 100 ms"],
      ...["volumes: recipes at /recipes (read only), build at /workdir/build"],
      ...[
        "tmpfs: /tmp (128 MiB), /scratch (64.0 MiB)",
        "ulimits: nofile=1024:2048, core=0, memlock=unlimited",
      ],
      ...["capabilities: NET_RAW, SYS_NICE", "log: 5 files of 1.00 MiB"],
    ],
  );
});

function told(one: typeof spec) {
  return create(RuntimeSchema, { spec: one });
}

test("a flag of a container that is mistyped says what is needed, and a stray word is no command", async (t) => {
  using folder = tempFolder();
  const given = ["runtime", "create", "plc1", "--image", "busybox:1"];
  const cases: [string[], string][] = [
    [["--volume", "/etc:/etc"], "recipes:/recipes:ro; folders of the node cannot be mounted"],
    [["--volume", "recipes"], "it must be a name, a colon and an absolute path"],
    [["--tmpfs", "tmp"], "it must be an absolute path, as in /tmp or /tmp:128Mi"],
    [["--tmpfs", "/tmp:big"], '"big" is not a size'],
    [["--ulimit", "nofile=many"], "it must be a name and a limit, as in nofile=1024"],
    [["--cpu-quota", "50%"], "it must be a number of CPUs with at most three decimals, as in 0.5"],
    [["--cpu-weight", "0"], "it must be a whole number from 1"],
    [["--memory", "512", "Mi"], "the name stands before --, and a command after it"],
    [["-f", "plc1.yaml", "--", "sh"], "cannot be used with option '--image <reference>'"],
  ];
  for (const [flags, sentence] of cases) {
    await t.test(flags.join(" "), async () => {
      const { code, out, err } = await ask([...given, ...flags], { folder: folder.path });
      assert.equal(code, 2);
      assert.equal(out, "");
      assert.ok(err.includes(sentence), err);
    });
  }
});
