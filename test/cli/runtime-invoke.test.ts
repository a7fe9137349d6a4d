import assert from "node:assert/strict";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  Invoke,
  type InvokeRuntimeRequest,
  InvokeRuntimeResponseSchema,
  InvokeScheme,
} from "../../gen/edge/v1/invoke_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { toConnectError } from "../../src/wire/failures.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

const certificateSha256 = "AB:CD";

/** A daemon whose runtime answers as the test says; what was asked, and what went to a pipe as bytes. */
async function world(t: TestContext, answer: { status?: number; body?: Uint8Array } | Error = {}) {
  const folder = tempFolder();
  const asked: InvokeRuntimeRequest[] = [];
  const daemon = await standInDaemon(join(folder.path, "d.sock"), (router) =>
    router.service(Invoke, {
      invokeRuntime: (request) => {
        asked.push(request);
        if (answer instanceof Error) throw toConnectError(answer);
        const headers = [{ name: "x-evil", value: "\x1b[31mred" }];
        return create(InvokeRuntimeResponseSchema, { status: 200, headers, certificateSha256, ...answer });
      },
    }),
  );
  t.after(async () => {
    await daemon.cut();
    folder[Symbol.dispose]();
  });
  const piped: Uint8Array[] = [];
  const bytes = (some: Uint8Array) => void piped.push(some);
  const say = (args: string[], columns?: number) =>
    ask(["--socket", "d.sock", "runtime", "invoke", "plc1", ...args], {
      folder: folder.path,
      terminal: { bytes, columns },
    });
  return { asked, piped, say, folder: folder.path };
}

test("a request is what the command line says, JSON by itself", async (t) => {
  const { asked, say, folder } = await world(t);
  writeFileSync(join(folder, "body.bin"), Uint8Array.of(0, 255));
  await say(["post", "/api/x?y=1", "-H", "A: b: c", "-H", "D:", "-d", '{"k":1}', "--timeout", "2s"]);
  await say(["PUT", "/", "-d", "@body.bin", "--http", "--port", "8080", "--trust-new-certificate"]);
  const [first, second] = asked;
  assert.deepEqual(
    [first?.runtime, first?.method, first?.path, first?.timeoutMs, first?.port],
    ["plc1", "POST", "/api/x?y=1", 2000, 8443],
  );
  assert.deepEqual(
    first?.headers.map(({ name, value }) => [name, value]),
    [
      ["A", "b: c"],
      ["D", ""],
      ["content-type", "application/json"],
    ],
  );
  assert.equal(Buffer.from(first.body).toString(), '{"k":1}');
  assert.deepEqual([...(second?.body ?? [])], [0, 255]);
  assert.deepEqual(
    [second?.scheme, second?.port, second?.trustNewCertificate],
    [InvokeScheme.HTTP, 8080, true],
  );
  assert.equal(second?.headers[0]?.value, "application/octet-stream");
});

test("a pipe gets the body as it came, a person its text, and a file any of them", async (t) => {
  const body = Buffer.from('{"a":1}\x1b[31m');
  const { piped, say, folder } = await world(t, { body });
  assert.deepEqual(await say(["GET", "/"]), { code: 0, out: "", err: "" });
  assert.deepEqual(
    piped.map((some) => Buffer.from(some).toString()),
    [body.toString()],
  );
  assert.deepEqual(await say(["GET", "/"], 80), { code: 0, out: '{"a":1}\n', err: "" });
  const file = await say(["GET", "/", "-i", "-o", "out.json"]);
  assert.deepEqual(file, { code: 0, out: "", err: "HTTP 200\nx-evil: red\n\n" });
  assert.deepEqual(readFileSync(join(folder, "out.json")), body);
  const { out } = await say(["GET", "/", "--json"]);
  assert.equal((JSON.parse(out) as { body: string }).body, body.toString("base64"));
});

test("bytes that are no text stay away from a terminal", async (t) => {
  const { say } = await world(t, { body: Uint8Array.of(0xff, 0xfe) });
  const seen = await say(["GET", "/"], 80);
  assert.equal(seen.code, 3);
  assert.match(seen.err, /2 bytes that are no text.*--output/);
});

test("a bad status is told, and fails only when asked to", async (t) => {
  const { say } = await world(t, { status: 404 });
  assert.deepEqual(await say(["GET", "/"]), { code: 0, out: "", err: "the runtime answered 404\n" });
  const failed = await say(["GET", "/", "--fail"]);
  assert.deepEqual(failed, { code: 4, out: "", err: "error: runtime plc1 answered 404 (--fail)\n" });
});

test("no answer at all exits by its kind", async (t) => {
  const { say } = await world(t, failure("unavailable", "nothing listens", { word: "refused" }));
  assert.deepEqual(await say(["GET", "/"]), { code: 7, out: "", err: "error: nothing listens\n" });
});

test("what the contract forbids is refused before anything travels", async (t) => {
  const { asked, say, folder } = await world(t);
  writeFileSync(join(folder, "large"), "");
  truncateSync(join(folder, "large"), 2 ** 31); // Nobody reads two gigabytes to refuse them.
  assert.match(
    (await say(["POST", "/", "-d", "@large"])).err,
    /large is 2\.00 GiB long, and a command carries at most 960 KiB/,
  );
  assert.match((await say(["TRACE", "api"])).err, /method: .*\n.*path: /);
  assert.equal((await say(["GET", "/", "-H", "no header"])).code, 2);
  assert.match((await say(["GET", "/", "-d", "@absent"])).err, /absent cannot be read/);
  assert.equal(asked.length, 0);
});
