/** The nouns session, memory and topic, at the local door of the rooms themselves. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AppendMessagesRequestSchema, MessageRole } from "../../gen/edge/v1/sessions_pb.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openLog } from "../../src/base/log.ts";
import { Sql } from "../../src/base/sql.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { dispatcher, type Rooms } from "../../src/daemon/commands.ts";
import { Journal, schema as journalSchema } from "../../src/daemon/journal/index.ts";
import { openLocalDoor } from "../../src/daemon/local/index.ts";
import { Memory } from "../../src/daemon/memory/index.ts";
import { Sessions, schema as sessionsSchema } from "../../src/daemon/sessions/index.ts";
import { Topics } from "../../src/daemon/topics/index.ts";
import { Work, schema as workSchema } from "../../src/daemon/work/index.ts";
import { unguarded } from "../fakes/unguarded.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { ask } from "./ask.ts";

/** A node that has an agent called poet. */
async function node(t: TestContext) {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const folder = stack.use(tempFolder());
  const schemas = [journalSchema, workSchema, sessionsSchema];
  const sql = stack.use(Sql.open(join(folder.path, "daemon.db"), schemas, Date.now));
  const journal = Journal.open(sql, { now: Date.now });
  const clock = systemClock;
  const log = openLog({ program: "test", level: "silent", format: "json" });
  const sessions = Sessions.open({
    ...{ sql, journal, clock, log, isRunning: () => false, hasAgent: (name: string) => name === "poet" },
    settings: {
      ...{ timeoutMs: 1_800_000, idleAfterMs: 600_000, maxSessions: 9, maxPerAgent: 9, maxPerOwner: 9 },
      ...{ maxMessages: 3_000, maxBytes: 1 << 20 },
    },
  });
  const memory = stack.use(
    Memory.open({
      ...{ path: join(folder.path, "memory.db"), journal, clock, log },
      settings: { entriesPerGroup: 100, maxBytes: 1 << 20 },
      embed: async ({ text }) => [text.length, 1],
    }),
  );
  const topics = stack.use(
    Topics.open({
      ...{ path: join(folder.path, "topics.db"), journal, clock, log },
      kept: { messages: 1_000, bytes: 1 << 20 },
    }),
  );
  // These commands reach no other room.
  const dispatch = dispatcher({ sessions, memory, topics } as Rooms);
  const work = stack.use(new Work({ sql, journal, clock, log, dispatch, guard: unguarded }));
  const socket = join(folder.path, "daemon.sock");
  stack.use(await openLocalDoor({ path: socket, work }));
  const say = async (
    args: string[],
    piped = "",
    more: { signal?: AbortSignal; terminal?: Partial<Terminal> } = {},
  ) => {
    const terminal: Partial<Terminal> = { input: async () => Buffer.from(piped), ...more.terminal };
    const around = { folder: folder.path, ...more, terminal };
    return await ask([...args, "--socket", socket], around);
  };
  const said = async (...args: Parameters<typeof say>): Promise<string> => {
    const { code, out, err } = await say(...args);
    assert.equal(code, 0, err);
    return out;
  };
  return { folder: folder.path, say, said, sessions };
}

test("a conversation is kept, read, closed, exported whole, and forgotten", async (t) => {
  const { say, said, sessions } = await node(t);
  const begin = [
    "session",
    "create",
    "poet",
    "--title",
    "a rhyme",
    "--close-after",
    "5m",
    "--label",
    "line=2",
  ];
  const id = (await said(begin)).trim();
  assert.equal(await said(["session", "append", id, "Good\x1b[2J morning"]), `message 1 of session ${id}\n`);
  await said(["session", "append", id, "--role", "assistant"], "Good night\nMoon\n");
  const [told, first] = (await said(["session", "get", id])).split(/^1 /m);
  assert.match(told ?? "", /state +active: \S+ began it\n.*closes +in 4m \d+s, if nothing comes/s);
  assert.match(first ?? "", / {2}user\n {4}Good morning\n2 {2}.* {2}assistant\n {4}Good night\n {4}Moon\n$/);
  assert.match(
    await said(["session", "list", "--state", "active"]),
    /poet +\S+ +active +\d+m?s +2 +\S+ B +a rhyme/,
  );
  assert.equal(await said(["session", "list", "--state", "closed", "-q"]), "");
  for (let count = 0; count < 12; count++) {
    const messages = Array.from({ length: 100 }, () => ({ role: MessageRole.USER, content: "again" }));
    const request = create(AppendMessagesRequestSchema, { sessionId: id, messages });
    sessions.append({ is: "operator", actor: "test" }, request, `cmd-${count}`);
  }
  const lines = (await said(["session", "export", id])).trimEnd().split("\n");
  const parsed = lines.map((line) => JSON.parse(line));
  assert.deepEqual([parsed[0].session.title, parsed[0].session.labels[0].key], ["a rhyme", "line"]);
  assert.deepEqual(
    parsed.slice(1).map(({ message }) => Number(message.sequence)),
    Array.from({ length: 1_202 }, (_, index) => index + 1),
  );
  assert.equal(await said(["session", "close", id]), `session ${id} is closed\n`);
  const late = await say(["session", "append", id, "too late"]);
  assert.match(late.err, /is closed .* begin another one/);
  assert.equal(await said(["session", "delete", id, "--yes"]), `session ${id} is forgotten\n`);
  assert.equal(await said(["session", "list"]), "no sessions\n");
  for (const [args, why] of [
    [["session", "create", "nobody"], /orchestrator agent list/],
    [["session", "append", id, "x", "--role", "king"], /There are system, user, assistant, tool/],
    [["session", "append", id], /there is no text/],
    [["session", "get", id], /there is no session/],
  ] as const)
    assert.match((await say([...args])).err, why);
});

test("what is remembered is found by words, by attributes and by meaning", async (t) => {
  const { say, said } = await node(t);
  const id = (await said(["memory", "store", "poet", "The moon is full", "--attribute", "mood=calm"])).trim();
  await said(["memory", "store", "poet", "--embedding", "1,0"], "Oven three is hot\n");
  await said(["memory", "store", "poet", "night", "--model", "small"]);
  const found = await said(["memory", "search", "poet", "--text", "MOON", "--attribute", "mood=calm"]);
  assert.match(found, new RegExp(`^${id}  .*Z  mood=calm\n    The moon is full\n$`));
  const near = await said(["memory", "search", "poet", "--embedding", "1,0", "--min-similarity", "0.99"]);
  assert.match(near, /^1\.000 {2}.*\n {4}Oven three is hot\n$/);
  assert.match(
    await said(["memory", "search", "poet", "--like", "seven", "--model", "small"]),
    /^1\.000 .*\n +night/,
  );
  assert.equal(
    await said(["memory", "search", "poet", "--text", "sun"]),
    "nothing, of 0 memories that were looked at\n",
  );
  assert.match(await said(["memory", "groups"]), /^GROUP.*\npoet +3 +2 +\S+ B\n$/);
  assert.equal(await said(["memory", "forget", "poet", id]), "1 memory is forgotten\n");
  assert.match((await say(["memory", "forget", "poet", "--yes"])).err, /say which memories/);
  assert.equal(await said(["memory", "forget", "poet", "--all", "--yes"]), "2 memories are forgotten\n");
  assert.match((await say(["memory", "search", "poet", "--embedding", "1,two"])).err, /no list of numbers/);
});

test("topics are published to, read back, and followed until somebody stops", async (t) => {
  const { folder, say, said } = await node(t);
  const alarm = [
    "topic",
    "publish",
    "plant.oven.alarm",
    "too hot",
    "--urgency",
    "high",
    "--attribute",
    "oven=3",
  ];
  assert.equal(await said(alarm), "message 1, to 0 subscribers\n");
  writeFileSync(join(folder, "raw"), Buffer.from([0xff, 0xfe]));
  await said(["topic", "publish", "plant.raw", "--file", "raw"]);
  const lines = (await said(["topic", "read", "plant.>"])).trimEnd().split("\n");
  assert.match(lines[0] ?? "", /Z {2}1 {2}plant\.oven\.alarm {2}\S+ \(high, oven=3\): too hot$/);
  assert.match(lines[1] ?? "", / {2}2 {2}plant\.raw {2}\S+: 2 bytes that are no text$/);
  assert.match(await said(["topic", "read", "--last", "1"]), /^\S+ \S+ {2}2 {2}/);
  assert.equal(await said(["topic", "read", "--urgency", "critical"]), "");

  const stop = new AbortController();
  let seen = "";
  const out = (text: string) => {
    seen += text;
    if (seen.includes("chat.b")) stop.abort();
  };
  const following = say(["topic", "read", "chat.*", "-f", "--json"], "", {
    signal: stop.signal,
    terminal: { out },
  });
  await said(["topic", "publish", "chat.a", "hello"]);
  await said(["topic", "publish", "other", "unheard"]);
  await said(["topic", "publish", "chat.b", "--file", "-"], "bye");
  await following;
  const told = seen
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).topic);
  assert.deepEqual(told, ["chat.a", "chat.b"]);
  assert.equal(await said(["topic", "subscriptions"]), "no subscriptions\n");
  assert.equal(await said(["topic", "dead-letters"]), "no dead letters\n");
  assert.match((await say(["topic", "publish", "node.mine", "?"])).err, /node/);
  assert.match((await say(["topic", "publish", "x", "text", "--file", "raw"])).err, /one thing/);
});
