import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Invoke, InvokeRuntimeResponseSchema } from "../../gen/edge/v1/invoke_pb.ts";
import { makeCertificate } from "../../samples/openplc/certificate.ts";
import { createPlc } from "../../samples/openplc/plc.ts";
import { serve } from "../../samples/openplc/server.ts";
import { openUsers } from "../../samples/openplc/users.ts";
import { toConnectError } from "../../src/wire/failures.ts";
import { openRoom } from "../daemon/invoke/room.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { zipOf } from "../fixtures/zip.ts";
import { ask } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

/** The sample runtime behind the daemon's own room, behind a daemon's socket; only the port differs from the real one. */
async function world(t: TestContext, { withUser = true } = {}) {
  const folder = tempFolder();
  const users = await openUsers(join(folder.path, "users.json"), () => {});
  if (withUser) await users.add("op", "secret", "admin");
  const certificate = await makeCertificate(folder.path);
  const sample = await serve({ plc: createPlc(() => Date.now()), users, certificate, port: 0 });
  const room = openRoom(folder.path);
  const daemon = await standInDaemon(join(folder.path, "d.sock"), (router) =>
    router.service(Invoke, {
      invokeRuntime: async ({ $typeName: _, ...asks }) => {
        try {
          const answer = await room.send({ ...asks, port: sample.port });
          return create(InvokeRuntimeResponseSchema, answer);
        } catch (thrown) {
          throw toConnectError(thrown);
        }
      },
    }),
  );
  t.after(async () => {
    await daemon.cut();
    room[Symbol.dispose]();
    await sample[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });
  writeFileSync(join(folder.path, "password"), "secret\n");
  const login = ["--user", "op", "--password-file", "password"];
  return {
    folder: folder.path,
    /** As the user that the runtime knows; without a login when `bare`. */
    say: (args: string[], { bare = false, env = {} } = {}) =>
      ask(["--socket", "d.sock", "plc", ...args, ...(bare ? [] : login)], { folder: folder.path, env }),
  };
}

test("a program is uploaded, built and runs; it is stopped and started", async (t) => {
  const { say, folder } = await world(t);
  writeFileSync(join(folder, "program.zip"), zipOf({ "core/program.st": "PROGRAM" }));
  assert.equal((await say(["stop", "plc1"])).code, 0);
  const uploaded = await say(["upload", "plc1", "program.zip"]);
  assert.match(uploaded.out, /^runtime plc1 runs program\.zip, built in /, uploaded.err);
  assert.match(uploaded.err, /^uploading program\.zip\n(unzipping\n)?(compiling\n)?starting\n$/);
  const status = await say(["status", "plc1"]);
  assert.match(status.out, /^version +v4\.1\.0-sample\nprogram +running\n/);
  assert.match(status.out, /^cycle time avg, us +20000$/m);
  assert.equal(
    (await say(["stop", "plc1"])).out,
    "runtime plc1 has stopped its program; the runtime itself still runs\n",
  );
  assert.equal((await say(["stop", "plc1"])).code, 0, "stopped is stopped");
  const json = JSON.parse((await say(["status", "plc1", "--json"])).out) as { state: string };
  assert.equal(json.state, "STOPPED");
  for (const _ of [1, 2]) assert.equal((await say(["start", "plc1"])).out, "runtime plc1 runs its program\n");
});

test("what is wrong with a program is told with the end of the build's log", async (t) => {
  const { say, folder } = await world(t);
  writeFileSync(join(folder, "bad.zip"), zipOf({ "core/does-not-compile": "" }));
  writeFileSync(join(folder, "evil.zip"), zipOf({ "../up": "" }));
  writeFileSync(join(folder, "large.zip"), new Uint8Array(951 << 10));
  const bad = await say(["upload", "plc1", "bad.zip"]);
  assert.equal(bad.code, 5);
  assert.match(bad.err, /it does not compile\nerror: runtime plc1 could not build the program/);
  const evil = await say(["upload", "plc1", "evil.zip"]);
  assert.match(evil.err, /error: runtime plc1 takes no program now: Uploaded ZIP file failed safety checks/);
  const large = await say(["upload", "plc1", "large.zip"]);
  assert.equal(large.code, 10);
  assert.match(large.err, /a command carries at most 950 KiB/);
});

test("who may not log in hears why, and what to do", async (t) => {
  const { say } = await world(t);
  assert.match(
    (await say(["status", "plc1"], { bare: true })).err,
    /--user and --password-file, or PLC_USER/,
  );
  const env = { PLC_USER: "op", PLC_PASSWORD: "wrong" };
  const wrong = await say(["status", "plc1"], { bare: true, env });
  assert.equal(wrong.code, 6);
  assert.match(wrong.err, /does not let "op" in: check --user/);
  const right = await say(["status", "plc1"], { bare: true, env: { ...env, PLC_PASSWORD: "secret" } });
  assert.equal(right.code, 0, right.err);
});

test("a runtime without users says how the first one is made", async (t) => {
  const { say } = await world(t, { withUser: false });
  const seen = await say(["status", "plc1"]);
  assert.equal(seen.code, 5);
  assert.match(
    seen.err,
    /no users yet: make the first one with `orchestrator runtime invoke plc1 POST \/api\/create-user/,
  );
});
