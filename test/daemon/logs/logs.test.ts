import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import {
  type GetRuntimeLogsRequest,
  GetRuntimeLogsRequestSchema,
  type GetRuntimeLogsResponse,
  GetRuntimeLogsResponseSchema,
  LogStream,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { Engine } from "../../../src/daemon/engine/engine.ts";
import { Logs } from "../../../src/daemon/logs/logs.ts";
import type { Runtimes } from "../../../src/daemon/runtimes/runtimes.ts";
import { maxFrameBytes } from "../../../src/wire/limits.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { scriptImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { ask, live, newName, spec } from "../runtimes/life.ts";
import { container } from "../runtimes/planned.ts";

const engine = await sharedEngine();
const image = await scriptImage(engine);
after(() => engine[Symbol.asyncDispose]());

const waits = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done";
const doing = (name: string, DO: string) =>
  spec(image, { name, env: [{ name: "DO", value: `${DO}\n${waits}` }] });

type Asked = Exclude<MessageInitShape<typeof GetRuntimeLogsRequestSchema>, GetRuntimeLogsRequest>;

async function logsOf(
  runtimes: Runtimes,
  name: string,
  asked: Asked = {},
): Promise<GetRuntimeLogsResponse & { texts: string[] }> {
  const request = create(GetRuntimeLogsRequestSchema, { name, ...asked });
  const response = create(GetRuntimeLogsResponseSchema, await runtimes.logs(request, ask().signal));
  return { ...response, texts: response.lines.map(({ text }) => text) };
}

/** The log once its last line is there. */
async function whenWritten(runtimes: Runtimes, name: string, last: string) {
  return await until(`${name} writes ${last}`, async () => {
    const found = await logsOf(runtimes, name, { grep: last });
    return found.lines.length > 0 ? await logsOf(runtimes, name, { tailLines: 1000 }) : undefined;
  });
}

test("lines by their number, stream, text and time, of a runtime that runs and of one that ended", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const name = newName();
  const DO = `for i in 1 2 3 4 5 6; do echo "scan $i"; echo "alarm $i" >&2; sleep 0.02; done
printf 'b\\377d \\303\\244 \\033[2J\\n'; head -c 40000 /dev/zero | tr '\\0' x; echo; echo done`;
  await runtimes.create(doing(name, DO), ask());
  const all = await whenWritten(runtimes, name, "done");
  const { texts, lines } = all;
  assert.deepEqual([all.leftOut, all.recreated], [false, false]);
  assert.deepEqual(texts.filter((text) => text.startsWith("scan")).length, 6);
  assert.ok(
    texts.includes("b\ufffdd ä \x1b[2J"),
    "bytes that are not UTF-8 are marked, letters are told as they are",
  );
  const long = lines.filter(({ text }) => text.startsWith("xx"));
  assert.deepEqual(
    long.map(({ text, cut }) => [text.length, cut]),
    [
      [16_384, true],
      [16_384, true],
      [7_232, false],
    ],
  );

  const newest = await logsOf(runtimes, name, { tailLines: 2 });
  assert.deepEqual([newest.texts.at(-1), newest.lines.length, newest.leftOut], ["done", 2, true]);
  const exact = await logsOf(runtimes, name, { tailLines: texts.length });
  assert.deepEqual([exact.texts, exact.leftOut], [texts, false]);
  const alarms = await logsOf(runtimes, name, { tailLines: 3, stream: LogStream.STDERR });
  assert.deepEqual([alarms.texts, alarms.leftOut], [["alarm 4", "alarm 5", "alarm 6"], true]);
  const four = await logsOf(runtimes, name, { grep: " 4" });
  assert.deepEqual(four.texts.sort(), ["alarm 4", "scan 4"]);
  assert.deepEqual((await logsOf(runtimes, name, { grep: "2026-" })).texts, [], "a moment is no text");
  assert.deepEqual((await logsOf(runtimes, name, { grep: "(a+)+$" })).texts, [], "a text is no pattern");

  const atOf = (text: string) => lines.find((line) => line.text === text)?.at ?? timestampFromMs(0);
  const range = { since: atOf("scan 2"), until: atOf("scan 5"), stream: LogStream.STDOUT };
  const between = await logsOf(runtimes, name, range);
  assert.deepEqual(between.texts, ["scan 2", "scan 3", "scan 4"], "from the first moment, up to the second");
  assert.equal((await logsOf(runtimes, name, { since: atOf("done"), tailLines: 50 })).texts.at(-1), "done");
  const ancient = { since: timestampFromMs(-1e12), until: timestampFromMs(-1) };
  assert.deepEqual((await logsOf(runtimes, name, ancient)).texts, []);
  await assert.rejects(logsOf(runtimes, name, { since: atOf("scan 5"), until: atOf("scan 2") }), {
    kind: "invalid",
  });

  await runtimes.stop(name, ask());
  assert.deepEqual((await logsOf(runtimes, name, { tailLines: 1000 })).texts, texts);
  await runtimes.delete(name, { keepVolume: false }, ask());
  await assert.rejects(logsOf(runtimes, name), { kind: "not_found" });
});

test("a runtime whose container vanished tells the log of the new one, and says so", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const name = newName();
  const { runtime } = await runtimes.create(doing(name, "echo from $(hostname)"), ask());
  const first = await whenWritten(runtimes, name, "from");
  await engine.docker.getContainer(runtime.containerId).remove({ force: true });
  const second = await until("the new container has written", async () => {
    const found = await logsOf(runtimes, name);
    return found.containerId !== first.containerId && found.lines.length > 0 ? found : undefined;
  });
  assert.deepEqual([second.texts, second.recreated], [first.texts, true]);
  assert.ok(Number(second.containerCreatedAt?.seconds) >= Number(first.lines[0]?.at?.seconds));
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("of a log that is many times longer than a frame, the newest is told that fits into one", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const name = newName();
  const DO = `i=0; while [ $i -lt 400 ]; do i=$((i+1)); head -c 20000 /dev/zero | tr '\\0' ' '; echo; done; echo done`;
  await runtimes.create(doing(name, DO), ask());
  await until("all is written", async () => (await logsOf(runtimes, name, { grep: "done" })).lines[0]);
  for (const asked of [{ tailLines: 10_000 }, { tailLines: 10_000, stream: LogStream.STDOUT }]) {
    const { texts, ...value } = await logsOf(runtimes, name, asked);
    assert.deepEqual([texts.at(-1), value.leftOut], ["done", true]);
    const result = create(ResultSchema, { outcome: { case: "getRuntimeLogs", value } });
    const size = toBinary(ResultSchema, result).length;
    assert.ok(size < maxFrameBytes - 1024 && size > maxFrameBytes / 2, `${size} bytes`);
  }
  const small = await logsOf(runtimes, name, { tailLines: 10_000, maxBytes: 65_536 });
  assert.deepEqual([small.lines.length, small.leftOut], [8, true]);
  await runtimes.delete(name, { keepVolume: false }, ask());
});

test("an engine that is away, hangs or breaks off is told, and holds nobody longer than it may", async () => {
  using folder = tempFolder();
  await using proxy = await engineProxy(engine.socketPath);
  const name = newName();
  await using life = live(folder.path, proxy.socketPath);
  const { runtime } = await life.runtimes.create(doing(name, "echo here"), ask());
  const request = create(GetRuntimeLogsRequestSchema, { name });
  using client = new Engine(`unix://${proxy.socketPath}`);
  const read = (limitMs: number) =>
    new Logs(client, { limitMs }).read(container({ id: runtime.containerId }), request, ask().signal);

  proxy.decide = (line) => (line.endsWith("/logs") ? "hang" : "pass");
  await assert.rejects(read(100), {
    kind: "deadline",
    message: /could not be read within 0.1 s: ask for less/,
  });
  proxy.decide = (line) => (line.endsWith("/logs") ? "break-afterwards" : "pass");
  await assert.rejects(read(20_000), { kind: "unavailable", message: /broke the connection off/ });
  proxy.decide = (line) => (line.endsWith("/logs") ? "fail-instead" : "pass");
  await assert.rejects(read(20_000), { kind: "unavailable", message: /a hiccup/ });
  proxy.decide = () => "pass";
  await life.runtimes.delete(name, { keepVolume: false }, ask());
  await assert.rejects(read(20_000), { kind: "unavailable", message: /is just being replaced/ });

  using gone = new Engine(`unix://${join(folder.path, "none.sock")}`);
  const asking = new Logs(gone).read(container(), request, ask().signal);
  await assert.rejects(asking, { kind: "unavailable", message: /is not there/ });
});
