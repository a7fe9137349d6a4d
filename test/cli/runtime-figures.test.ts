import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type GetRuntimeLogsRequest,
  GetRuntimeLogsResponseSchema,
  GetRuntimeStatsResponseSchema,
  LogStream,
  RuntimePhase,
  Runtimes,
} from "../../gen/edge/v1/runtimes_pb.ts";
import { parseWhen } from "../../src/base/quantity.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask, type Surroundings } from "./ask.ts";
import { standInDaemon } from "./stand-in.ts";

const at = timestampFromMs(Date.UTC(2026, 10, 21, 10, 0, 0, 250));
const out = { stream: LogStream.STDOUT, at };
const err = { stream: LogStream.STDERR, at };

/** A daemon with a log and figures; what it was asked. */
async function world(t: TestContext, log: MessageInitShape<typeof GetRuntimeLogsResponseSchema> = {}) {
  const folder = tempFolder();
  const socket = join(folder.path, "daemon.sock");
  const asked: GetRuntimeLogsRequest[] = [];
  const looks: { count: number; onSecond?: () => void } = { count: 0 };
  const daemon = await standInDaemon(socket, (router) => {
    router.service(Runtimes, {
      getRuntimeLogs: (request) => {
        asked.push(request);
        return create(GetRuntimeLogsResponseSchema, log);
      },
      getRuntimeStats: ({ names }) => {
        looks.count++;
        if (looks.count === 2) looks.onSecond?.();
        const runtimes = [running, { name: "plc2", phase: RuntimePhase.STOPPED }];
        return create(GetRuntimeStatsResponseSchema, {
          runtimes: runtimes.filter(({ name }) => names.length === 0 || names.includes(name)),
        });
      },
    });
  });
  t.after(async () => {
    await daemon.cut();
    folder[Symbol.dispose]();
  });
  const say = (args: string[], more: Partial<Surroundings> = {}) =>
    ask(["runtime", ...args, "--socket", socket], { folder: folder.path, ...more });
  return { asked, looks, say };
}

const running = {
  ...{ name: "plc1", phase: RuntimePhase.RUNNING, restarts: 3, oomKills: 1 },
  sample: {
    ...{ cpuPercent: 12.34, memoryUsedBytes: 30n << 20n, memoryTotalBytes: 512n << 20n },
    ...{ networkReceivedBytesPerSecond: 2048n, blockWrittenBytesPerSecond: 1n << 20n, pids: 7 },
    uptimeSeconds: 5400n,
  },
};

test("a log is told line by line, put together where the engine cut it, and cannot steer a terminal", async (t) => {
  const lines = [
    { ...out, text: "scan\t1\r" },
    { ...err, text: "\x1b]0;owned\x07\x1b[2Jred \u009b31m\u0000" },
    { ...out, text: "a long ", cut: true },
    { ...out, text: "line" },
    { ...out, text: "cut off", cut: true },
    { ...err, text: "by another" },
  ];
  const { say } = await world(t, { lines });
  const plain = await say(["logs", "plc1"]);
  assert.deepEqual([plain.code, plain.err], [0, ""]);
  assert.equal(plain.out, "scan    1\nred ?\na long line\ncut off\nby another\n");
  const timed = await say(["logs", "plc1", "--timestamps"]);
  assert.deepEqual(timed.out.split("\n").slice(1, 3), [
    "2026-11-21T10:00:00.250Z  red ?",
    "2026-11-21T10:00:00.250Z  a long line",
  ]);
  const json = JSON.parse((await say(["logs", "plc1", "--json"])).out) as { lines: { text: string }[] };
  assert.equal(json.lines[1]?.text, lines[1]?.text, "programs get it as it was written");
});

test("what of a log is asked for travels as it was said, and what is no time is refused", async (t) => {
  const { asked, say } = await world(t);
  const before = Date.now();
  const flags = ["--tail", "5", "--since", "10m", "--until", "2026-11-21 10:00", "--grep", "PLC: "];
  await say(["logs", "plc1", ...flags, "--stderr"]);
  const [request] = asked;
  assert.ok(request?.since && request.until);
  assert.deepEqual([request.name, request.tailLines, request.grep], ["plc1", 5, "PLC: "]);
  assert.equal(request.stream, LogStream.STDERR);
  const age = before - timestampMs(request.since);
  assert.ok(age <= 600_000 && age > 540_000, `${age} ms ago`);
  assert.equal(timestampMs(request.until), Date.UTC(2026, 10, 21, 10));

  const refused = await say(["logs", "plc1", "--since", "yesterday"]);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /"yesterday" is not how long ago, as in 10m, or a moment such as 2026-/);
  assert.equal(parseWhen("2026-11-21", 0), Date.UTC(2026, 10, 21));
  assert.equal(parseWhen("2026-11-21T10:00:00.5+01:00", 0), Date.UTC(2026, 10, 21, 9, 0, 0, 500));
  assert.throws(() => parseWhen("2026-13-45", 0), { kind: "invalid" });
});

test("whoever reads a log learns what is not in it", async (t) => {
  const anew = await world(t, { recreated: true, containerCreatedAt: at });
  assert.equal(
    (await anew.say(["logs", "plc1"])).err,
    "no lines\nits container was made anew at 2026-11-21 10:00:00Z, and the log before that is gone\n",
  );
  const large = await world(t, { lines: [{ ...out, text: "x" }], leftOut: true });
  assert.equal(
    (await large.say(["logs", "plc1"])).err,
    "older lines were left out: the answer would be too large\n",
  );
});

test("figures are a table, once in a pipe and again and again on a terminal until Ctrl-C", async (t) => {
  const { looks, say } = await world(t);
  const table =
    "NAME  PHASE      CPU    MEMORY    LIMIT    RECEIVED   SENT   READ     WRITTEN  PIDS  RESTARTS  OOM KILLS      UP\n" +
    "plc1  running  12.3%  30.0 MiB  512 MiB  2.00 KiB/s  0 B/s  0 B/s  1.00 MiB/s     7         3          1  1h 30m\n" +
    "plc2  stopped      -         -        -           -      -      -           -     -         0          0       -\n";
  assert.equal((await say(["stats"])).out, table);
  assert.equal((await say(["stats", "plc2", "--once"])).out.split("\n").length, 3);
  const json = JSON.parse((await say(["stats", "--json"])).out) as { runtimes: { oomKills: number }[] };
  assert.equal(json.runtimes[0]?.oomKills, 1);

  const end = new AbortController();
  looks.count = 0;
  looks.onSecond = () => end.abort();
  const terminal = { columns: 200, animated: true };
  const seen = await say(["stats", "--interval", "1ms"], { signal: end.signal, terminal });
  assert.equal(seen.code, 130);
  assert.ok(seen.out.startsWith(`\x1b[H\x1b[J${table}`), JSON.stringify(seen.out));
});
