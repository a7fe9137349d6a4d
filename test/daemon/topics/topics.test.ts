import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EventSchema } from "../../../gen/edge/v1/events_pb.ts";
import {
  MessageUrgency,
  Overflow,
  ReadMessagesRequestSchema,
  TopicFilterSchema,
} from "../../../gen/edge/v1/topics_pb.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { Failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { publishFacts } from "../../../src/daemon/topics/index.ts";
import type { Kept } from "../../../src/daemon/topics/log.ts";
import { read } from "../../../src/daemon/topics/read.ts";
import type { JoinAsk, SubscribeAsk, Subscribed } from "../../../src/daemon/topics/subscription.ts";
import { type Draft, Topics } from "../../../src/daemon/topics/topics.ts";
import { smallDisk, tempFolder } from "../../fixtures/folder.ts";

const never = new AbortController().signal;
const log = openLog({ program: "test", level: "silent", format: "json" });

/** Topics on a state file, which can be closed and opened again. */
function room(folder: string, kept: Kept = { messages: 10_000, bytes: 64 << 20 }) {
  const sql = Sql.open(join(folder, "daemon.db"), [journalSchema], systemClock.now);
  const journal = Journal.open(sql, { now: systemClock.now });
  const topics = Topics.open({ path: join(folder, "topics.db"), journal, clock: systemClock, log, kept });
  return {
    ...{ sql, journal, topics },
    [Symbol.dispose]() {
      topics[Symbol.dispose]();
      sql[Symbol.dispose]();
    },
  };
}

function draft(topic: string, text = "", more: Partial<Draft> = {}): Draft {
  const rest = { attributes: [], urgency: MessageUrgency.NORMAL, correlationId: "", publisher: "local" };
  return { topic, payload: Buffer.from(text), ...rest, ...more };
}

function subscribeAsk(
  filter: MessageInitShape<typeof TopicFilterSchema>,
  more: Partial<SubscribeAsk> = {},
): SubscribeAsk {
  const rest = { subscriber: "agent/poet", taskId: "task-1", overflow: Overflow.UNSPECIFIED, queueLimit: 0 };
  return { filter: create(TopicFilterSchema, filter), ...rest, ...more };
}

function joinAsk(taskId: string, more: Partial<JoinAsk> = {}): JoinAsk {
  const ask = subscribeAsk({ topics: ["work"] }, { taskId });
  return { ...ask, group: "poet/crew", settleMs: 60_000, attempts: 0, ...more };
}

async function texts(subscribed: Subscribed, count: number): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count)
    found.push(Buffer.from((await subscribed.next(never)).message.payload).toString());
  return found;
}

function isFailure(kind: string) {
  return (thrown: unknown) => thrown instanceof Failure && thrown.kind === kind;
}

test("subscribers get what they filter for, in order, and only after it is on disk", async () => {
  using folder = tempFolder();
  using at = room(folder.path);
  using kiln = at.topics.subscribe(subscribeAsk({ topics: ["plant.*.heat"] }));
  using urgent = at.topics.subscribe(subscribeAsk({ urgency: MessageUrgency.HIGH }));
  using tagged = at.topics.subscribe(
    subscribeAsk({
      attributes: [{ key: "line", value: "2" }],
      correlationId: "c1",
      publisher: "operator/alice",
    }),
  );
  const asked = [
    draft("plant.kiln.heat", "1"),
    draft("plant.oven.heat", "2", { urgency: MessageUrgency.CRITICAL }),
    draft("plant.oven.heat.inner", "3", {
      attributes: [{ $typeName: "edge.v1.Label", key: "line", value: "2" }],
      correlationId: "c1",
      publisher: "operator/alice",
    }),
  ].map((one) => at.topics.publish(one));
  const before = at.topics.log.last;
  const published = await Promise.all(asked);
  assert.equal(before, 0);
  assert.deepEqual(
    published.map(({ sequence, subscribers }) => [sequence, subscribers]),
    [
      [1, 1],
      [2, 2],
      [3, 1],
    ],
  );
  assert.deepEqual(await texts(kiln, 2), ["1", "2"]);
  assert.deepEqual(await texts(urgent, 1), ["2"]);
  assert.deepEqual(await texts(tagged, 1), ["3"]);
});

test("a full queue does what its subscriber chose, and nobody else notices", async () => {
  using folder = tempFolder();
  using at = room(folder.path);
  const { topics } = at;
  const queue = (name: keyof typeof Overflow, topic = "t") =>
    topics.subscribe(
      subscribeAsk({ topics: [topic] }, { overflow: Overflow[name], queueLimit: 2, taskId: name }),
    );
  using oldest = queue("DROP_OLDEST");
  using newest = queue("DROP_NEWEST");
  using ending = queue("DISCONNECT");
  using refusing = queue("REFUSE", "careful");
  using quick = topics.subscribe(subscribeAsk({ topics: ["t", "careful"] }, { taskId: "quick" }));
  for (const text of ["1", "2", "3", "4"]) await topics.publish(draft("t", text));

  assert.deepEqual(await texts(oldest, 2), ["3", "4"]);
  assert.deepEqual(await texts(newest, 2), ["1", "2"]);
  assert.deepEqual(await texts(ending, 2), ["1", "2"]);
  await assert.rejects(ending.next(never), isFailure("exhausted"));
  assert.deepEqual(
    topics.subscriptions().map(({ ask, dropped }) => [ask.taskId, dropped]),
    [
      ["DROP_OLDEST", 2],
      ["DROP_NEWEST", 2],
      ["REFUSE", 0],
      ["quick", 0],
    ],
  );

  // Of what comes in one turn, exactly what has room is published.
  const outcomes = await Promise.allSettled(
    ["a", "b", "c"].map((text) => topics.publish(draft("careful", text))),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected"],
  );
  await assert.rejects(topics.publish(draft("careful", "d")), isFailure("exhausted"));
  assert.deepEqual(await texts(refusing, 1), ["a"]);
  await topics.publish(draft("careful", "e"));
  assert.deepEqual(await texts(quick, 7), ["1", "2", "3", "4", "a", "b", "e"]);

  // The first drop is told at once, the others together, here at the end.
  topics[Symbol.dispose]();
  const told = at.journal
    .history({ afterSequence: 0n, limit: 100, runtime: "", agent: "" })
    .map(({ event }) => event?.fact);
  const counts = told.map((fact) => (fact?.case === "messagesDropped" ? Number(fact.value.count) : 0));
  assert.deepEqual(counts, [1, 1, 1, 1]);
});

test("what was published is read again from a place on, also after a restart, and then goes on as it comes", async () => {
  using folder = tempFolder();
  {
    using at = room(folder.path);
    for (let index = 1; index <= 450; index++) await at.topics.publish(draft(`t.${index % 2}`, `${index}`));
  }
  using at = room(folder.path);
  using odd = at.topics.subscribe(subscribeAsk({ topics: ["t.1"] }, { afterSequence: 20, queueLimit: 1 }));
  const first = await texts(odd, 100);
  await at.topics.publish(draft("t.1", "451"));
  const rest = await texts(odd, 116);
  assert.deepEqual(
    [...first, ...rest],
    Array.from({ length: 216 }, (_, index) => `${21 + 2 * index}`),
  );
  assert.equal(odd.standing().dropped, 0);
});

test("a command that is carried out again publishes nothing again", async () => {
  using folder = tempFolder();
  {
    using at = room(folder.path);
    const twice = [1, 2].map(() => at.topics.publish(draft("t", "once", { commandId: "cmd-1" })));
    assert.deepEqual(
      (await Promise.all(twice)).map(({ sequence }) => sequence),
      [1, 1],
    );
  }
  using at = room(folder.path);
  assert.equal((await at.topics.publish(draft("t", "once", { commandId: "cmd-1" }))).sequence, 1);
  assert.equal((await at.topics.publish(draft("t", "next"))).sequence, 2);
});

test("the oldest messages go when there are too many, and places go on", async () => {
  using folder = tempFolder();
  const kept = { messages: 100, bytes: 20_000 };
  {
    using at = room(folder.path, kept);
    await Promise.all(Array.from({ length: 150 }, (_, index) => at.topics.publish(draft("t", `${index}`))));
    const { log } = at.topics;
    assert.ok(log.first > 50 && log.first <= 53, `${log.first}`);
    await Promise.all(Array.from({ length: 10 }, () => at.topics.publish(draft("t", "x".repeat(5_000)))));
    assert.ok(log.last - log.first < 4, `${log.first}`);
  }
  using at = room(folder.path, kept);
  assert.equal((await at.topics.publish(draft("t"))).sequence, 161);
});

test("a reader waits for the first message, and learns from where on there are any", async () => {
  using folder = tempFolder();
  using at = room(folder.path, { messages: 10, bytes: 1 << 20 });
  const ask = (after: bigint, waitMs = 0) =>
    read(
      at.topics,
      create(ReadMessagesRequestSchema, { filter: { topics: ["b"] }, afterSequence: after, waitMs }),
      never,
    );
  for (let index = 0; index < 15; index++) await at.topics.publish(draft("a"));
  const nothing = await ask(0n);
  assert.deepEqual([nothing.messages.length, Number(nothing.lastSequence)], [0, 15]);
  assert.ok(Number(nothing.firstSequence) > 5);
  const waiting = ask(15n, 20_000);
  await at.topics.publish(draft("a"));
  await at.topics.publish(draft("b", "came"));
  const { messages, lastSequence } = await waiting;
  assert.deepEqual(
    [messages.map(({ payload }) => Buffer.from(payload).toString()), Number(lastSequence)],
    [["came"], 17],
  );
});

test("a message of a group goes to one member, and again to another until one settles it; then it is a dead letter", async () => {
  using folder = tempFolder();
  using at = room(folder.path);
  const { topics } = at;
  const ask = { attempts: 3, queueLimit: 1 };
  using one = topics.join(joinAsk("task-1", ask));
  const two = topics.join(joinAsk("task-2", ask));
  assert.throws(() => topics.join(joinAsk("task-3", { attempts: 4 })), isFailure("conflict"));
  const [first, second] = [one.next(never), two.next(never)];
  await topics.publish(draft("work", "a"));
  await topics.publish(draft("other"));
  await topics.publish(draft("work", "b"));
  assert.deepEqual([(await first).message.sequence, (await second).message.sequence], [1n, 3n]);

  await assert.rejects(topics.settle("poet/crew", "task-2", 1, true), isFailure("conflict"));
  await topics.settle("poet/crew", "task-1", 1, false);
  const again = await one.next(never);
  assert.deepEqual([again.message.sequence, again.attempt], [1n, 2]);
  await topics.settle("poet/crew", "task-1", 1, true);
  two[Symbol.dispose]();
  for (const attempt of [2, 3]) {
    const given = await one.next(never);
    assert.deepEqual([given.message.sequence, given.attempt], [3n, attempt]);
    await topics.settle("poet/crew", "task-1", 3, false);
  }
  const [letter, ...others] = topics.deadLetters({ group: "poet/crew", limit: 0 });
  assert.deepEqual([letter?.message?.sequence, letter?.attempts, others.length], [3n, 3, 0]);
  assert.equal(letter?.reason, "its last member said that it was not dealt with");
  assert.deepEqual(topics.deadLetters({ group: "poet/others", limit: 0 }), []);
});

test("who does not settle in time loses the message to another", async () => {
  using folder = tempFolder();
  using at = room(folder.path);
  using slow = at.topics.join(joinAsk("task-1", { settleMs: 30 }));
  const held = slow.next(never);
  await at.topics.publish(draft("work", "a"));
  await held;
  using quick = at.topics.join(joinAsk("task-2", { settleMs: 30 }));
  const { attempt, message } = await quick.next(never);
  assert.deepEqual([message.sequence, attempt], [1n, 2]);
});

test("a group goes on where it was when the daemon starts again: what was settled does not come again, the rest does", async () => {
  using folder = tempFolder();
  {
    using at = room(folder.path);
    using member = at.topics.join(joinAsk("task-1"));
    for (const text of ["a", "b", "c", "d"]) await at.topics.publish(draft("work", text));
    assert.deepEqual(await texts(member, 3), ["a", "b", "c"]);
    await at.topics.settle("poet/crew", "task-1", 2, true);
    // Cut here: nothing more is written, whatever the closing would do.
    at.topics.sql[Symbol.dispose]();
  }
  using at = room(folder.path);
  using member = at.topics.join(joinAsk("task-9", { afterSequence: 4 }));
  const given = [await member.next(never), await member.next(never), await member.next(never)];
  assert.deepEqual(
    given.map(({ message, attempt }) => [Number(message.sequence), attempt]),
    [
      [1, 2],
      [3, 2],
      [4, 1],
    ],
  );
});

test("each event of the node is published once, also across a restart", async () => {
  using folder = tempFolder();
  const engineLost = (at: ReturnType<typeof room>, reason: string) => {
    const { fact } = create(EventSchema, { fact: { case: "engine", value: {} } });
    at.journal.record(fact, { reason });
  };
  const changed = (at: ReturnType<typeof room>, name: string) => {
    const { fact } = create(EventSchema, { fact: { case: "agent", value: { name } } });
    at.journal.record(fact, { reason: "deployed" });
  };
  const live = async (at: ReturnType<typeof room>, work: () => void, untilPlace: number) => {
    const stop = new AbortController();
    const running = publishFacts({ ...at, clock: systemClock, log }, stop.signal);
    work();
    for await (const _ of at.topics.changes.wakes(never)) if (at.topics.log.last >= untilPlace) break;
    stop.abort();
    await running;
  };
  {
    using at = room(folder.path);
    engineLost(at, "before topics were there");
    await live(at, () => engineLost(at, "1"), 1);
    changed(at, "poet.of.1");
  }
  using at = room(folder.path);
  await live(at, () => engineLost(at, "3"), 3);
  const { messages } = await read(at.topics, create(ReadMessagesRequestSchema, {}), never);
  assert.deepEqual(
    messages.map(({ topic, publisher }) => [topic, publisher]),
    [
      ["node.engine", "node"],
      ["node.agent.poet_of_1", "node"],
      ["node.engine", "node"],
    ],
  );
  assert.equal(JSON.parse(Buffer.from(messages[2]?.payload ?? []).toString()).reason, "3");
});

test("on a full disk publishing fails, nobody gets the message, and its place is given to the next", async () => {
  using disk = smallDisk(3 << 20);
  using at = room(disk.path);
  using all = at.topics.subscribe(subscribeAsk({}, { queueLimit: 10_000 }));
  let taken = 0;
  await assert.rejects(async () => {
    for (;;) {
      await at.topics.publish(draft("t", "x".repeat(200_000)));
      taken++;
    }
  }, isFailure("exhausted"));
  assert.ok(taken > 0);
  assert.equal((await texts(all, taken)).length, taken);
  assert.equal(at.topics.log.last, taken);
  assert.equal(all.standing().queued, 0);
});

test("a file of messages that cannot be read is set aside and told, and messages begin anew", async () => {
  using folder = tempFolder();
  writeFileSync(
    join(folder.path, "topics.db"),
    "this is no database, but it was one before a disk failed".repeat(100),
  );
  using at = room(folder.path);
  assert.equal((await at.topics.publish(draft("t"))).sequence, 1);
  const [told] = at.journal.history({ afterSequence: 0n, limit: 10, runtime: "", agent: "" });
  assert.equal(told?.event?.fact.case, "stateSetAside");
});
