import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { LockKind, type RuntimeLockSchema } from "../../gen/edge/v1/locks_pb.ts";
import { RuntimePhase, RuntimeSchema, RuntimeSpecSchema, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { fromLockFlags, type LockFlags, withLockFlags } from "../../src/cli/lock-flags.ts";
import { lockRows } from "../../src/cli/lock-tell.ts";
import { reasonsOf } from "../../src/cli/why-now.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

const since = timestampFromMs(Date.UTC(2026, 10, 21, 10));
const until = timestampFromMs(Date.UTC(2026, 10, 21, 12));
const locks: MessageInitShape<typeof RuntimeLockSchema>[] = [
  { kind: LockKind.OPERATOR, actor: "operator/alice", reason: "tank \x1b[31m3", since, until },
  { kind: LockKind.WINDOW, reason: "no maintenance window is open", until },
  { kind: LockKind.WORKLOAD, reason: "calibrating" },
];
const locked = (which = locks) =>
  create(RuntimeSchema, { spec: { name: "plc1" }, phase: RuntimePhase.RUNNING, locks: which });

/** A daemon with a runtime that has these locks; what it was asked. */
async function world(t: TestContext, has = locks) {
  const folder = tempFolder();
  const socket = join(folder.path, "daemon.sock");
  const asked: unknown[] = [];
  const told = (request: object) => {
    const { $typeName, ...fields } = request as { $typeName: string };
    asked.push({ [$typeName.replace(/^.*\.|Request$/g, "")]: fields });
    return { runtime: locked(has) };
  };
  const daemon = await standInDaemon(socket, (router) =>
    router.service(Runtimes, {
      ...{ lockRuntime: told, unlockRuntime: told, stopRuntime: told, restartRuntime: told },
      deleteRuntime: (request) => {
        told(request);
        return { removed: ["container/plc1"] };
      },
      listRuntimes: () => ({ runtimes: [locked(has)] }),
    }),
  );
  t.after(async () => {
    await daemon.cut();
    folder[Symbol.dispose]();
  });
  const say = (...args: string[]) =>
    ask(["runtime", ...args, "--socket", socket], { folder: folder.path, env: {} });
  return { asked, say };
}

test("a runtime is locked and unlocked, and locks are overridden only when that is said", async (t) => {
  const { asked, say } = await world(t);
  const now =
    'locked by operator/alice until 2026-11-21T12:00:00Z: "tank \\u001b[31m3", and because no maintenance window is open until 2026-11-21T12:00:00Z, and by its own program: "calibrating"';
  const done = await say("lock", "plc1", "--reason", "tank 3", "--for", "2h");
  assert.deepEqual([done.code, done.out], [0, `runtime plc1 is ${now}\n`], done.err);
  assert.equal((await say("unlock", "plc1")).out, `runtime plc1 is still ${now}\n`);
  await say("lock", "plc1");
  await say("stop", "plc1");
  await say("restart", "plc1", "--override-lock");
  await say("delete", "plc1", "--yes", "--keep-volume", "--override-lock");
  assert.deepEqual(asked, [
    { LockRuntime: { name: "plc1", reason: "tank 3", forMs: 7_200_000n } },
    { UnlockRuntime: { name: "plc1" } },
    { LockRuntime: { name: "plc1", reason: "", forMs: 0n } },
    { StopRuntime: { name: "plc1", overrideLock: false } },
    { RestartRuntime: { name: "plc1", overrideLock: true } },
    { DeleteRuntime: { name: "plc1", keepVolume: true, overrideLock: true } },
  ]);
  assert.match((await say("list")).out, /plc1 +running, locked /);
  const wrong = await say("lock", "plc1", "--for", "soon");
  assert.deepEqual([wrong.code, /is not a duration such as/.test(wrong.err)], [2, true]);
});

test("nothing locked is nothing told", async (t) => {
  const { say } = await world(t, []);
  assert.equal((await say("unlock", "plc1")).out, "runtime plc1 is not locked any more\n");
  assert.match((await say("list")).out, /plc1 +running +/);
  assert.deepEqual(lockRows(locked([])), []);
});

test("why says who locks a runtime since when, and what that means", () => {
  assert.deepEqual(reasonsOf(locked()).split("\n").slice(1, -1), [
    '  it is locked by operator/alice until 2026-11-21T12:00:00Z: "tank \\u001b[31m3", since 2026-11-21 10:00:00Z',
    "  it is locked because no maintenance window is open until 2026-11-21T12:00:00Z",
    '  it is locked by its own program: "calibrating"',
    "  nothing stops, restarts, updates or deletes it without --override-lock; what ends by itself is started again",
  ]);
});

test("flags of locks mean the message of the contract, and are told as they were said", () => {
  const given = (...args: string[]) => {
    const command = withLockFlags(new Command("create"))
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    return create(RuntimeSpecSchema, fromLockFlags(command.parse(args, { from: "user" }).opts<LockFlags>()));
  };
  const windows = ["0 2 * * 6 for 2h in Europe/Berlin", "30 4 1 * * for 30m in UTC"];
  const spec = create(RuntimeSpecSchema, {
    maintenance: [
      { cron: "0 2 * * 6", durationMs: 7_200_000n, timeZone: "Europe/Berlin" },
      { cron: "30 4 1 * *", durationMs: 1_800_000n },
    ],
    lockPath: "/locks",
  });
  const [first = "", second = ""] = windows;
  const flags = ["--maintenance", first, "--maintenance", second.replace(" in UTC", "")];
  assert.ok(equals(RuntimeSpecSchema, given(...flags, "--lock-path", "/locks"), spec));
  assert.deepEqual(lockRows(create(RuntimeSchema, { spec })), [
    ["maintenance", windows.join("; ")],
    ["lock folder", "/locks"],
  ]);
  assert.ok(equals(RuntimeSpecSchema, given(), create(RuntimeSpecSchema)));
  for (const wrong of ["0 2 * * 6", "0 2 * * for 2h", "0 2 * * 6 for long", "0 2 * * 6 for 2h Berlin"]) {
    assert.throws(() => given("--maintenance", wrong), /must be five fields of crontab|is not a duration/);
  }
});
