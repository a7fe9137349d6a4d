import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  type RuntimeSpec,
  RuntimeSpecSchema,
  Runtimes,
  type UpdateRuntimeRequest,
  UpdateRuntimeRequestSchema,
} from "../../gen/edge/v1/runtimes_pb.ts";
import { PlannedAction, Wishes } from "../../gen/edge/v1/wishes_pb.ts";
import { laidOver } from "../../src/cli/laid-over.ts";
import { checkRequest } from "../../src/cli/spec-flags.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

const there = create(RuntimeSpecSchema, {
  ...{ name: "press-1", image: "plc:4.0", capabilities: ["NET_RAW"], command: ["run"] },
  env: [
    { name: "MODE", value: "test" },
    { name: "LEVEL", value: "1" },
  ],
  resources: { memoryBytes: 64n << 20n, cpuset: "0" },
});

test("flags are laid over what is there: what has a key stands beside the rest, a value replaces its like", () => {
  const given = create(RuntimeSpecSchema, {
    ...{ name: "press-1", capabilities: ["SYS_NICE"], command: ["serve", "-v"] },
    env: [
      { name: "LEVEL", value: "2" },
      { name: "LINE", value: "7" },
    ],
    ...{ resources: { memoryBytes: 128n << 20n }, vnics: [{ name: "lan0", parent: "eth0" }] },
  });
  const { env, resources, ...spec } = laidOver(there, given);
  assert.deepEqual(
    env.map(({ name, value }) => `${name}=${value}`),
    ["MODE=test", "LEVEL=2", "LINE=7"],
  );
  assert.deepEqual([resources?.memoryBytes, resources?.cpuset], [128n << 20n, "0"]);
  assert.deepEqual([spec.image, spec.command], ["plc:4.0", ["serve", "-v"]]);
  assert.deepEqual([spec.capabilities, spec.vnics.length], [["NET_RAW", "SYS_NICE"], 1]);
});

test("the first limit of a runtime that had none is a valid wish", () => {
  const plain = create(RuntimeSpecSchema, { name: "press-1", image: "plc:4.0" });
  for (const given of [{ resources: { memoryBytes: 128n << 20n } }, { log: { files: 2 } }]) {
    const spec = laidOver(plain, create(RuntimeSpecSchema, given));
    checkRequest(UpdateRuntimeRequestSchema, create(UpdateRuntimeRequestSchema, { spec }));
  }
});

test("a runtime is updated by flags or by a file, and told what that did; a dry run does nothing", async () => {
  using folder = tempFolder();
  const socket = join(folder.path, "daemon.sock");
  const asked: UpdateRuntimeRequest[] = [];
  let planned: RuntimeSpec | undefined;
  await using _daemon = await standInDaemon(socket, (router) => {
    router.service(Runtimes, {
      getRuntime: () => ({ runtime: { spec: there } }),
      updateRuntime(request) {
        asked.push(request);
        const changes = [{ field: "spec.image" }, { field: "spec.env" }];
        return {
          runtime: { spec: request.spec ?? there },
          changes: request.pull ? [] : changes,
          interrupted: true,
        };
      },
    });
    router.service(Wishes, {
      planWishes({ runtimes }) {
        planned = runtimes[0];
        const changes = [{ field: "spec.image", before: '"plc:4.0"', after: '"plc:4.1"' }];
        const reason = "another container is needed: spec.image (a container has one image for good)";
        const [action, interrupts] = [PlannedAction.UPDATE, true];
        return { runtimes: [{ name: "press-1", action, interrupts, reason, changes }] };
      },
    });
  });
  const update = (...args: string[]) =>
    ask(["runtime", "update", "--socket", socket, ...args], { folder: folder.path });

  const dry = await update("press-1", "--image", "plc:4.1", "--dry-run");
  assert.equal(dry.code, 0, dry.err);
  assert.match(
    dry.out,
    /~ update {2}press-1 {2}another container is needed: .*; its program is interrupted\n/,
  );
  assert.match(dry.out, /spec\.image {2}"plc:4\.0" -> "plc:4\.1"\n/);
  assert.deepEqual([planned?.image, planned?.env.length, asked.length], ["plc:4.1", 2, 0]);

  const done = await update("press-1", "--image", "plc:4.1", "--probation", "3m", "--override-lock");
  assert.equal(done.code, 0, done.err);
  assert.match(
    done.out,
    /^runtime press-1 was updated, and its program was interrupted \(spec\.image, spec\.env\)\n/,
  );
  const [first] = asked;
  assert.deepEqual([first?.spec?.image, first?.spec?.command], ["plc:4.1", ["run"]]);
  assert.deepEqual([first?.probationMs, first?.overrideLock, first?.pull], [180_000, true, false]);

  writeFileSync(join(folder.path, "press.yaml"), "kind: Runtime\nspec: { name: press-1, image: 'plc:5' }\n");
  const whole = await update("-f", "press.yaml", "--pull");
  assert.equal(whole.out, "runtime press-1 is as wished\n", whole.err);
  assert.deepEqual([asked[1]?.spec?.image, asked[1]?.spec?.env, asked[1]?.pull], ["plc:5", [], true]);

  const both = await update("press-1", "-f", "press.yaml");
  assert.match(both.err, /the file press\.yaml names the runtime: leave out/);
  const neither = await update("--image", "plc:5");
  assert.deepEqual(
    [neither.code, neither.err.includes("missing required argument 'name' (or --file)")],
    [2, true],
  );
});
