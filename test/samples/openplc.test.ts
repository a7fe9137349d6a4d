import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeCertificate } from "../../samples/openplc/certificate.ts";
import { createPlc } from "../../samples/openplc/plc.ts";
import { serve } from "../../samples/openplc/server.ts";
import { createTokens } from "../../samples/openplc/tokens.ts";
import { openUsers } from "../../samples/openplc/users.ts";
import { zipOf } from "../fixtures/zip.ts";
import { until } from "../journeys/until.ts";

interface Reply {
  code: number | undefined;
  body: unknown;
  headers: IncomingMessage["headers"];
}

interface Runtime extends AsyncDisposable {
  ask(line: string, options?: { body?: unknown; token?: string; raw?: string | FormData }): Promise<Reply>;
  /** The first user made, and logged in. */
  login(): Promise<string>;
}

async function stateDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "openplc-sample-"));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

async function startRuntime(dir: string): Promise<Runtime> {
  const plc = createPlc(() => Date.now());
  const users = await openUsers(join(dir, "users.json"), (sentence) => plc.log("WARNING", sentence));
  const certificate = await makeCertificate(dir);
  const server = await serve({ plc, users, certificate, port: 0 });
  const runtime: Runtime = {
    async ask(line, { body, token, raw } = {}) {
      // The platform's own encoding of forms, which is JSON's and text's, too.
      const text = raw ?? (body === undefined ? null : JSON.stringify(body));
      const whole = new Response(text);
      const bytes = Buffer.from(await whole.arrayBuffer());
      const type = whole.headers.get("content-type");
      return await new Promise((resolve, reject) => {
        const [method, path] = line.split(" ");
        const headers = {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(type !== null && { "content-type": type }),
        };
        // The name localhost and the certificate are checked: it must be good for a client that trusts it.
        const options = { host: "localhost", port: server.port, method, path, headers, ca: certificate.cert };
        const sent = request({ ...options, family: 4 }, (answer) => {
          let text = "";
          answer.on("data", (chunk) => {
            text += String(chunk);
          });
          answer.on("end", () =>
            resolve({ code: answer.statusCode, body: JSON.parse(text), headers: answer.headers }),
          );
        });
        sent.on("error", reject);
        sent.end(bytes);
      });
    },
    async login() {
      const body = { username: "op", password: "secret" };
      await runtime.ask("POST /api/create-user", { body });
      const reply = await runtime.ask("POST /api/login", { body });
      return (reply.body as { access_token: string }).access_token; // asserted by the test of login itself
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  return runtime;
}

const of = ({ code, body }: Reply) => ({ code, body });

test("anyone may ask for the version, and every answer carries it in a header", async (t) => {
  await using runtime = await startRuntime(await stateDir(t));
  const reply = await runtime.ask("GET /api/version");
  assert.deepEqual(of(reply), { code: 200, body: { version: "v4.1.0-sample" } });
  const refused = await runtime.ask("GET /api/status");
  assert.deepEqual(of(refused), { code: 401, body: { msg: "Missing Authorization Header" } });
  assert.equal(refused.headers["x-openplc-runtime-version"], "v4.1.0-sample");
  assert.equal((await runtime.ask("GET /")).code, 404);
});

test("the first user needs no token and becomes admin; later ones need an admin", async (t) => {
  await using runtime = await startRuntime(await stateDir(t));
  assert.equal((await runtime.ask("GET /api/get-users-info")).code, 404);
  const incomplete = await runtime.ask("POST /api/create-user", { body: { username: "op" } });
  assert.deepEqual(of(incomplete), { code: 400, body: { msg: "Missing username or password" } });

  const first = await runtime.ask("POST /api/create-user", { body: { username: "op", password: "secret" } });
  assert.deepEqual(of(first), { code: 201, body: { msg: "User created", id: 1, role: "admin" } });
  const second = { username: "ann", password: "other" };
  assert.equal((await runtime.ask("POST /api/create-user", { body: second })).code, 401);
  assert.deepEqual((await runtime.ask("GET /api/get-users-info")).body, { msg: "Users found" });

  const token = await runtime.login();
  assert.equal((await runtime.ask("POST /api/create-user", { token, body: second })).code, 201);
  assert.equal((await runtime.ask("POST /api/create-user", { token, body: second })).code, 409);
  assert.deepEqual((await runtime.ask("GET /api/get-users-info", { token })).body, [
    { id: 1, username: "op", role: "admin" },
    { id: 2, username: "ann", role: "user" },
  ]);
  const annLogin = await runtime.ask("POST /api/login", { body: second });
  const { access_token: annToken } = annLogin.body as { access_token: string }; // the next line fails if it is not
  const byUser = await runtime.ask("POST /api/create-user", {
    token: annToken,
    body: { username: "x", password: "y" },
  });
  assert.equal(byUser.code, 403);
});

test("a wrong password is refused with a bare string, and a logout ends a token", async (t) => {
  await using runtime = await startRuntime(await stateDir(t));
  const token = await runtime.login();
  assert.equal((await runtime.ask("GET /api/ping", { token })).code, 200);
  for (const body of [
    { username: "op", password: "wrong" },
    { username: "nobody", password: "secret" },
    {},
  ]) {
    const reply = await runtime.ask("POST /api/login", { body });
    assert.deepEqual(of(reply), { code: 401, body: "Wrong username or password" });
  }
  assert.equal((await runtime.ask("POST /api/logout", { token })).code, 200);
  const after = await runtime.ask("GET /api/ping", { token });
  assert.deepEqual(of(after), { code: 401, body: { msg: "Token has been revoked" } });
  assert.equal((await runtime.ask("GET /api/ping", { token: "forged" })).code, 422);
});

test("a token is good for fifteen minutes", () => {
  let nowMs = 0;
  const tokens = createTokens(() => nowMs);
  const token = tokens.issue(7);
  nowMs = 15 * 60_000 - 1;
  assert.deepEqual(tokens.look(token), { userId: 7 });
  nowMs += 1;
  assert.equal(tokens.look(token), "expired");
});

test("the PLC runs at once, and answers in the core's own words", async (t) => {
  await using runtime = await startRuntime(await stateDir(t));
  const token = await runtime.login();
  const status = async (path: string) => (await runtime.ask(`GET /api/${path}`, { token })).body;
  assert.deepEqual(await status("status"), { status: "STATUS:RUNNING\n" });
  assert.deepEqual(await status("start-plc"), { status: "START:ERROR_ALREADY_RUNNING\n" });
  assert.deepEqual(await status("stop-plc"), { status: "STOP:OK\n" });
  assert.deepEqual(await status("stop-plc"), { status: "STOP:ERROR\n" });
  assert.deepEqual(await status("status"), { status: "STATUS:STOPPED\n" });
  assert.deepEqual(await status("start-plc"), { status: "START:OK\n" });
  assert.deepEqual(await status("ping"), { status: "PING:OK" });
  const { timing_stats: stats } = (await status("status?include_stats=true")) as { timing_stats: object };
  assert.ok("scan_count" in stats);
  assert.deepEqual(await status("compilation-status"), { status: "IDLE", logs: [], exit_code: null });
});

test("an uploaded program is checked, built as if, and run; one at a time", async (t) => {
  await using runtime = await startRuntime(await stateDir(t));
  const token = await runtime.login();
  const upload = async (zip: Buffer) => {
    const form = new FormData();
    form.set("file", new File([Uint8Array.from(zip)], "program.zip"));
    return (await runtime.ask("POST /api/upload-file", { token, raw: form })).body;
  };
  const state = async () => (await runtime.ask("GET /api/compilation-status", { token })).body;
  const ended = (status: string) =>
    until(`the build is ${status}`, async () => ((await state()) as { status: string }).status === status);
  const good = zipOf({ "core/program.st": "PROGRAM", "conf/modbus.json": "{}" });

  assert.deepEqual(await upload(Buffer.from("no zip")), {
    UploadFileFail: "Invalid ZIP file",
    CompilationStatus: "FAILED",
  });
  for (const name of ["../up", "/etc/passwd", "c:/x", "run.sh"]) {
    const { UploadFileFail } = (await upload(zipOf({ [name]: "x" }))) as { UploadFileFail: string };
    assert.equal(UploadFileFail, "Uploaded ZIP file failed safety checks", name);
  }
  await runtime.ask("GET /api/stop-plc", { token });
  assert.deepEqual(await upload(good), { UploadFileFail: "", CompilationStatus: "UNZIPPING" });
  assert.match(JSON.stringify(await upload(good)), /compiling another program/);
  await ended("SUCCESS");
  assert.deepEqual((await runtime.ask("GET /api/status", { token })).body, { status: "STATUS:RUNNING\n" });
  await upload(zipOf({ "core/does-not-compile": "" }));
  await ended("FAILED");
  assert.match(JSON.stringify(await state()), /"exit_code":1/);
});

test("logs come from an id on, and of one level", async (t) => {
  await using runtime = await startRuntime(await stateDir(t));
  const token = await runtime.login();
  await runtime.ask("GET /api/stop-plc", { token });
  const logs = async (query: string) => {
    const { body } = await runtime.ask(`GET /api/runtime-logs${query}`, { token });
    return (body as { "runtime-logs": { message: string }[] })["runtime-logs"].map(({ message }) => message);
  };
  assert.deepEqual(await logs(""), ["PLC started", "PLC stopped"]);
  assert.deepEqual(await logs("?id=1"), ["PLC stopped"]);
  assert.deepEqual(await logs("?level=error"), []);
});

test("an unknown path below /api is answered with 200 and an error in the text", async (t) => {
  await using runtime = await startRuntime(await stateDir(t));
  const token = await runtime.login();
  const got = await runtime.ask("GET /api/nonsense", { token });
  assert.deepEqual(of(got), { code: 200, body: { error: "Unknown argument" } });
  const posted = await runtime.ask("POST /api/nonsense", { token, body: {} });
  assert.deepEqual(of(posted), { code: 200, body: { PostRequestError: "Unknown argument" } });
  assert.equal((await runtime.ask("GET /api/nonsense")).code, 401);
});

test("a body that is no JSON object, or too large, is refused with a code of its own", async (t) => {
  await using runtime = await startRuntime(await stateDir(t));
  assert.equal((await runtime.ask("POST /api/login", { raw: "{" })).code, 400);
  assert.equal((await runtime.ask("POST /api/login", { raw: `"${"x".repeat(70_000)}"` })).code, 413);
});

test("users and certificate survive a restart, hashed and readable by their owner only", async (t) => {
  const dir = await stateDir(t);
  {
    await using runtime = await startRuntime(dir);
    await runtime.login();
  }
  const kept = await readFile(join(dir, "tls.pem"), "utf8");
  assert.doesNotMatch(await readFile(join(dir, "users.json"), "utf8"), /secret/);
  for (const file of ["tls.pem", "users.json"])
    assert.equal((await stat(join(dir, file))).mode & 0o777, 0o600);
  await using again = await startRuntime(dir);
  assert.equal(
    (await again.ask("POST /api/login", { body: { username: "op", password: "secret" } })).code,
    200,
  );
  assert.equal(await readFile(join(dir, "tls.pem"), "utf8"), kept);
});

test("a users file full of something else is set aside and reported, not overwritten", async (t) => {
  const dir = await stateDir(t);
  await writeFile(join(dir, "users.json"), "\u0000 not users");
  await using runtime = await startRuntime(dir);
  const token = await runtime.login();
  assert.equal(await readFile(join(dir, "users.json.unreadable"), "utf8"), "\u0000 not users");
  const { body } = await runtime.ask("GET /api/runtime-logs?level=warning", { token });
  assert.match(JSON.stringify(body), /users\.json could not be read; it was set aside/);
});
