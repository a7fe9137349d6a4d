import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  AppendMessagesRequestSchema,
  CloseSessionRequestSchema,
  CreateSessionRequestSchema,
  GetSessionRequestSchema,
  ListSessionsRequestSchema,
  MessageRole,
  SessionState,
} from "../../../gen/edge/v1/sessions_pb.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Failure } from "../../../src/base/failure.ts";
import { newId } from "../../../src/base/ids.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { type SessionSettings, Sessions, schema, type Who } from "../../../src/daemon/sessions/index.ts";
import { mostClosingMs, standing } from "../../../src/daemon/sessions/standing.ts";
import { SessionStore } from "../../../src/daemon/sessions/store.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const minute = 60_000;
const { ACTIVE, IDLE, CLOSING, CLOSED } = SessionState;
const usual: SessionSettings = {
  ...{ timeoutMs: 30 * minute, idleAfterMs: 10 * minute },
  ...{ maxSessions: 100, maxPerAgent: 50, maxPerOwner: 50, maxMessages: 10_000, maxBytes: 1 << 20 },
};
const alice: Who = { is: "operator", actor: "operator/alice" };
const poet = (taskId = "task-1"): Who => ({ is: "agent", name: "poet", taskId });

/** A machine whose two clocks are moved by hand, and a state file that outlives the daemon on it. */
class Machine implements Disposable {
  readonly #folder = tempFolder();
  wallMs = Date.UTC(2026, 10, 21);
  elapsedMs = 5_000;
  running = new Set<string>();
  #sql: Sql | undefined;
  #journal: Journal | undefined;
  #wakes: (() => void)[] = [];
  readonly clock: Clock = {
    now: () => this.wallMs,
    elapsed: () => this.elapsedMs,
    sleep: (_, signal) =>
      new Promise((resolve) => {
        this.#wakes.push(resolve);
        signal?.addEventListener("abort", () => resolve());
      }),
  };

  /** Time passes while the daemon runs. */
  pass(ms: number): void {
    this.wallMs += ms;
    this.elapsedMs += ms;
  }

  /** All who sleep wake up. */
  wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  /** A new life of the daemon. */
  start(settings: Partial<SessionSettings> = {}): Sessions {
    this.#sql?.[Symbol.dispose]();
    this.#sql = Sql.open(join(this.#folder.path, "daemon.db"), [journalSchema, schema], this.clock.now);
    this.#journal = Journal.open(this.#sql, { now: this.clock.now });
    return Sessions.open({
      ...{ sql: this.#sql, journal: this.#journal, clock: this.clock, settings: { ...usual, ...settings } },
      log: openLog({ program: "test", level: "silent", format: "json" }),
      hasAgent: (name) => name !== "nobody",
      isRunning: (task) => this.running.has(task),
    });
  }

  /** What is on disk. */
  get store(): SessionStore {
    assert.ok(this.#sql);
    return new SessionStore(this.#sql);
  }

  /** The states that were told, in order. */
  get told(): SessionState[] {
    const entries = this.#journal?.read(0, 1_000) ?? [];
    return entries.flatMap(({ entry }) =>
      entry.case === "event" && entry.value.fact.case === "session" ? [entry.value.fact.value.state] : [],
    );
  }

  [Symbol.dispose](): void {
    this.#sql?.[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}

const begin = (
  sessions: Sessions,
  init: MessageInitShape<typeof CreateSessionRequestSchema> = {},
  who: Who = alice,
  id = newId("cmd"),
) => sessions.create(who, create(CreateSessionRequestSchema, { agent: "poet", ...init }), id);
const say = (
  sessions: Sessions,
  sessionId: string,
  texts: string[],
  who: Who = alice,
  commandId = newId("cmd"),
) => {
  const messages = texts.map((content) => ({ role: MessageRole.USER, content }));
  return sessions.append(who, create(AppendMessagesRequestSchema, { sessionId, messages }), commandId);
};
const read = (sessions: Sessions, id: string, init = {}, who: Who = alice) =>
  sessions.get(who, create(GetSessionRequestSchema, { id, ...init }));
const close = (sessions: Sessions, id: string, who: Who = alice) =>
  sessions.close(who, create(CloseSessionRequestSchema, { id }), newId("cmd"));
const list = (sessions: Sessions, init = {}, who: Who = alice) =>
  sessions.list(who, create(ListSessionsRequestSchema, init)).map(({ id }) => id);
const fails = (kind: string, sentence: RegExp) => (thrown: Failure) => {
  assert.equal(thrown.kind, kind, thrown.message);
  assert.match(thrown.message, sentence);
  return true;
};

test("where a session is follows from its times, and closing comes to its end whoever uses it", () => {
  const at = (quiet: number, closingMs?: number, isInUse = false) => {
    const facts = { quietMs: quiet * minute, timeoutMs: 30 * minute, closingMs, isInUse };
    const { state, nextMs } = standing(facts, { idleAfterMs: 10 * minute });
    return [state, nextMs];
  };
  assert.deepEqual(at(0), [ACTIVE, 10 * minute]);
  assert.deepEqual(at(-5), [ACTIVE, 15 * minute]); // The clock went back while the daemon was away.
  assert.deepEqual(at(10), [IDLE, 20 * minute]);
  assert.deepEqual(at(30), [CLOSED, Number.POSITIVE_INFINITY]);
  assert.deepEqual(at(30, undefined, true), [CLOSING, 1_000]);
  assert.deepEqual(at(0, 0, true), [CLOSING, 1_000]);
  assert.deepEqual(at(0, 0), [CLOSED, Number.POSITIVE_INFINITY]);
  assert.deepEqual(at(0, mostClosingMs, true), [CLOSED, Number.POSITIVE_INFINITY]);
});

test("session.timeout is applied: by the loop, over restarts, and whatever the wall clock is set to", async () => {
  using machine = new Machine();
  let sessions = machine.start();
  const { id } = begin(sessions, {}, alice, "cmd-1");
  const other = begin(sessions, { timeoutMs: 20n * BigInt(minute) }, alice, "cmd-2");
  machine.pass(11 * minute);
  assert.equal(say(sessions, other.id, ["still here"]).state, ACTIVE);
  assert.equal(read(sessions, id).session.state, IDLE);

  machine.wallMs += 365 * 24 * 60 * minute; // Somebody sets the clock; no time has passed.
  assert.deepEqual(
    [read(sessions, id).session.state, read(sessions, other.id).session.state],
    [IDLE, ACTIVE],
  );
  const stop = new AbortController();
  const ran = sessions.run(stop.signal);
  machine.pass(10 * minute);
  machine.elapsedMs = 0; // The machine starts anew; it was away for nine minutes.
  machine.wallMs += 9 * minute;
  stop.abort();
  await ran;

  sessions = machine.start();
  const again = new AbortController();
  const runs = sessions.run(again.signal);
  assert.deepEqual(machine.told, [ACTIVE, ACTIVE, IDLE, ACTIVE, IDLE, CLOSED, IDLE]);
  const { session } = read(sessions, id);
  assert.deepEqual([session.reason, session.timesOutAt], ["nothing came for 30m", undefined]);
  const left = read(sessions, other.id).session;
  assert.ok(left.timesOutAt && timestampMs(left.timesOutAt) - machine.wallMs <= minute);
  machine.pass(minute);
  machine.wake();
  await new Promise(setImmediate);
  assert.equal(machine.told.at(-1), CLOSED);
  assert.throws(
    () => say(sessions, id, ["too late"]),
    fails("conflict", /is closed \(nothing came for 30m\)/),
  );
  again.abort();
  await runs;
});

test("messages are added all or none, once for each command, and read in pages", () => {
  using machine = new Machine();
  const sessions = machine.start({ maxMessages: 5, maxBytes: 1_024 });
  const { id } = begin(sessions, { owner: "bob", title: "a rhyme", labels: [{ key: "line", value: "2" }] });
  const command = newId("cmd");
  say(sessions, id, ["one", "two"], poet(), command);
  assert.equal(say(sessions, id, ["one", "two"], poet(), command).messages, 2);
  assert.equal(say(sessions, id, ["three", "four"]).sizeBytes, 15n);
  assert.throws(
    () => say(sessions, id, ["five", "six"]),
    fails("exhausted", /session.max_messages allows 5/),
  );
  assert.throws(
    () => say(sessions, id, ["x".repeat(1_010)]),
    fails("exhausted", /session.max_size allows 1.00 KiB/),
  );
  const odd = create(AppendMessagesRequestSchema, { sessionId: id, messages: [{ content: "who?" }] });
  assert.throws(() => sessions.append(alice, odd, "cmd-odd"), fails("invalid", /messages\[0\]\.role/));

  const { session, messages } = read(machine.start(), id, { afterSequence: 1n, limit: 2 });
  assert.deepEqual(
    messages.map(({ sequence, content, taskId }) => [Number(sequence), content, taskId]),
    [
      [2, "two", "task-1"],
      [3, "three", ""],
    ],
  );
  assert.deepEqual([session.messages, session.owner, session.title], [4, "bob", "a rhyme"]);
  assert.deepEqual(
    read(machine.start(), id, { limit: 2, newest: true }).messages.map(({ content }) => content),
    ["three", "four"],
  );
});

test("an answer holds as many messages as fit, the first or the newest", () => {
  using machine = new Machine();
  const sessions = machine.start({ maxBytes: 8 << 20 });
  const { id } = begin(sessions);
  for (const letter of "abcdef") say(sessions, id, [letter.repeat(256 << 10)]);
  const letters = (init: object) => read(sessions, id, init).messages.map(({ content }) => content[0]);
  assert.deepEqual(letters({}), ["a", "b", "c"]);
  assert.deepEqual(letters({ afterSequence: 3n }), ["d", "e", "f"]);
  assert.deepEqual(letters({ newest: true }), ["d", "e", "f"]);
});

test("node, agent and owner have limits, and what is closed makes room", () => {
  using machine = new Machine();
  const sessions = machine.start({ maxSessions: 3, maxPerAgent: 2, maxPerOwner: 2 });
  const [first] = [begin(sessions, { owner: "bob" }), begin(sessions, { owner: "bob", agent: "echo" })];
  assert.throws(
    () => begin(sessions, { owner: "bob", agent: "third" }),
    fails("exhausted", /^bob has 2 open/),
  );
  begin(sessions);
  assert.throws(() => begin(sessions), fails("exhausted", /session.max_sessions allows 3/));
  close(sessions, first.id);
  assert.equal(begin(sessions).state, ACTIVE);
  machine.pass(30 * minute); // All time out, and nobody looked yet.
  assert.equal(begin(sessions).state, ACTIVE);
  assert.throws(
    () => begin(sessions, { agent: "nobody" }),
    fails("not_found", /no agent is called "nobody"/),
  );
  assert.throws(
    () => begin(sessions, { timeoutMs: 1_800_001n }),
    fails("invalid", /at most session.timeout/),
  );
});

test("an agent has sessions of its own only", () => {
  using machine = new Machine();
  const sessions = machine.start();
  const [own, foreign] = [begin(sessions, { agent: "" }, poet()), begin(sessions, { agent: "echo" })];
  assert.deepEqual([own.agent, own.owner], ["poet", "agent/poet"]);
  assert.throws(() => begin(sessions, { agent: "echo" }, poet()), fails("denied", /of its own only/));
  assert.deepEqual(list(sessions, {}, poet()), [own.id]);
  assert.deepEqual(list(sessions, { agent: "echo" }, poet()), []);
  assert.deepEqual(list(sessions, { agent: "echo", states: [ACTIVE] }), [foreign.id]);
  for (const attempt of [
    () => read(sessions, foreign.id, {}, poet()),
    () => say(sessions, foreign.id, ["me?"], poet()),
    () => close(sessions, foreign.id, poet()),
    () => sessions.delete(poet(), foreign.id),
  ])
    assert.throws(attempt, fails("not_found", /there is no session/));
});

test("who closes a session that a task uses waits for the task a little; a closed one can be deleted", async () => {
  using machine = new Machine();
  machine.running.add("task-1").add("task-2");
  const sessions = machine.start();
  const [one, two] = [begin(sessions, {}, poet()), begin(sessions)];
  read(sessions, two.id, {}, poet("task-2"));
  assert.deepEqual([close(sessions, one.id).state, close(sessions, two.id).state], [CLOSING, CLOSING]);
  assert.throws(
    () => say(sessions, one.id, ["?"]),
    fails("conflict", /is closing \(operator\/alice closed it\)/),
  );
  assert.throws(() => sessions.delete(alice, one.id), fails("conflict", /is not closed/));
  machine.running.delete("task-1");
  assert.deepEqual(
    [read(sessions, one.id).session.state, read(sessions, two.id).session.state],
    [CLOSED, CLOSING],
  );
  machine.pass(mostClosingMs);
  assert.equal(close(sessions, two.id).state, CLOSED);
  sessions.delete(alice, one.id);
  assert.deepEqual(list(sessions), [two.id]);
});

test("of closed sessions the newest are kept, as many and as much as there may be, with open ones beside", () => {
  using machine = new Machine();
  const sessions = machine.start();
  const open = begin(sessions, {}, alice, "open").id;
  const closed = ["first", "second", "third"].map((id) => {
    begin(sessions, {}, alice, id);
    machine.pass(1_000);
    say(sessions, id, ["x".repeat(100)]);
    return close(sessions, id).id;
  });
  machine.store.prune({ sessions: 2, bytes: 1_000 });
  assert.deepEqual(list(sessions), [...closed.slice(1).reverse(), open]);
  machine.store.prune({ sessions: 2, bytes: 150 });
  assert.deepEqual(list(sessions), ["third", open]);
  assert.deepEqual(machine.store.messages("second", { after: 0, limit: 9, newest: false }), []);
});
