/** What the bus of messages carries, and what a socket costs on which nobody speaks. */
import { EventEmitter } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create } from "@bufbuild/protobuf";
import { MessageUrgency, Overflow, TopicFilterSchema } from "../gen/edge/v1/topics_pb.ts";
import { systemClock } from "../src/base/clock.ts";
import { openLog } from "../src/base/log.ts";
import { Sql } from "../src/base/sql.ts";
import { Doors } from "../src/daemon/broker/doors.ts";
import { Journal, schema as journalSchema } from "../src/daemon/journal/index.ts";
import { Topics } from "../src/daemon/topics/index.ts";
import { tempFolder } from "../test/fixtures/folder.ts";
import { median } from "../tools/measure/spread.ts";
import { type Figure, figure, type Section } from "./figures.ts";

const counts = [1, 10, 100];
const messages = 20_000;
/** Publishers at once, each of which waits for its answer: what many agents do. */
const publishers = 200;
const rounds = 5;
const sockets = 500;
const payload = Buffer.alloc(200, "x");
const log = openLog({ program: "bench", level: "silent", format: "json" });
const topic = "plant.kiln.temperature";

export async function measure(): Promise<Section> {
  const figures: Figure[] = [];
  const idleKb = await idleSocketKb();
  for (const count of counts) {
    const ours: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await busPerSecond(count));
      bare.push(await emitterPerSecond(count));
    }
    const base = median(bare);
    figures.push(figure(`${count} subscribers: published`, median(ours), "/s", { base }));
    figures.push(
      figure(`${count} subscribers: delivered`, median(ours) * count, "/s", { base: base * count }),
    );
  }
  figures.push(figure("1 publisher that waits for each answer", await oneByOne(), "/s"));
  figures.push(figure("a socket of a cell on which nobody speaks", idleKb, "KB"));
  return {
    title: "Topics",
    how: `${messages} messages of ${payload.length} bytes from ${publishers} publishers at once, each of which waits until its message is on disk, to subscribers that filter by pattern and take every message; medians of ${rounds} rounds. The baseline is an EventEmitter of Node with as many listeners, each of which hands the message to one that waits for it: nothing is kept, filtered or bounded. Sockets: what ${sockets} of them hold of the heap; there are two HTTP servers for all.`,
    figures,
  };
}

function open(folder: string) {
  const sql = Sql.open(join(folder, "daemon.db"), [journalSchema], systemClock.now);
  const journal = Journal.open(sql, { now: systemClock.now });
  const kept = { messages: 100_000, bytes: 64 << 20 };
  const topics = Topics.open({ path: join(folder, "topics.db"), journal, clock: systemClock, log, kept });
  const close = () => {
    topics[Symbol.dispose]();
    sql[Symbol.dispose]();
  };
  return { topics, [Symbol.dispose]: close };
}

function draft() {
  const rest = { attributes: [], urgency: MessageUrgency.NORMAL, correlationId: "" };
  return { topic, payload, publisher: "agent/kiln", taskId: "task-1", ...rest };
}

async function busPerSecond(count: number): Promise<number> {
  using folder = tempFolder();
  using bus = open(folder.path);
  const signal = new AbortController().signal;
  const takers = Array.from({ length: count }, async (_, index) => {
    using subscribed = bus.topics.subscribe({
      ...{
        subscriber: "agent/poet",
        taskId: `task-${index}`,
        overflow: Overflow.DISCONNECT,
        queueLimit: 10_000,
      },
      filter: create(TopicFilterSchema, { topics: ["plant.*.temperature"] }),
    });
    for (let taken = 0; taken < messages; taken++) await subscribed.next(signal);
  });
  const from = performance.now();
  const publish = async () => {
    for (let sent = 0; sent < messages / publishers; sent++) await bus.topics.publish(draft());
  };
  await Promise.all([...Array.from({ length: publishers }, publish), ...takers]);
  return (messages / (performance.now() - from)) * 1_000;
}

async function emitterPerSecond(count: number): Promise<number> {
  const emitter = new EventEmitter().setMaxListeners(count);
  const takers = Array.from({ length: count }, async () => {
    const waiting: unknown[] = [];
    let wake = () => {};
    emitter.on(topic, (message) => {
      waiting.push(message);
      wake();
    });
    for (let taken = 0; taken < messages; taken++) {
      while (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      waiting.shift();
    }
  });
  const from = performance.now();
  const publish = async () => {
    for (let sent = 0; sent < messages / publishers; sent++) {
      emitter.emit(topic, draft());
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all([...Array.from({ length: publishers }, publish), ...takers]);
  return (messages / (performance.now() - from)) * 1_000;
}

async function oneByOne(): Promise<number> {
  using folder = tempFolder();
  using bus = open(folder.path);
  const from = performance.now();
  for (let sent = 0; sent < 1_000; sent++) await bus.topics.publish(draft());
  return 1_000_000 / (performance.now() - from);
}

async function idleSocketKb(): Promise<number> {
  using folder = tempFolder();
  await using doors = new Doors(() => {}, log);
  const make = async (from: number, to: number) => {
    for (let index = from; index < to; index++) {
      const id = `cell-${index}`;
      mkdirSync(join(folder.path, id));
      await doors.open({ id, agent: "poet", version: 1 }, join(folder.path, id, "broker.sock"));
    }
  };
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void; // The flag has just made it.
  await make(0, 50); // What is needed once is there then.
  collect();
  const before = process.memoryUsage().heapUsed;
  await make(50, 50 + sockets);
  collect();
  return (process.memoryUsage().heapUsed - before) / sockets / 1_000;
}
