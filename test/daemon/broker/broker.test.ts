import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { Broker } from "../../../gen/edge/v1/broker_pb.ts";
import { PolicyDenialSchema } from "../../../gen/edge/v1/policy_pb.ts";
import { grpcService } from "../../../src/wire/grpc.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { ask, base64, curl, openPlace, stream, type Told } from "./place.ts";

const poet = {
  name: "poet",
  rights: { publish: ["poems.>"], subscribe: ["poems.>", "node.agent.*"], call: ["critic"] },
};
const critic = { name: "critic", rights: { publish: [], subscribe: [] } };

function open(folder: string) {
  const place = openPlace(folder);
  place.agent(poet);
  place.agent(critic);
  return place;
}

/** The kind and word of the failure in an answer, from its details. */
function failureOf({ body }: Told): { kind: unknown; message: unknown } {
  const [detail] = body.details as { debug: { kind: string; message: string } }[];
  return { kind: detail?.debug.kind, message: detail?.debug.message };
}

test("one socket speaks HTTP/1.1 and HTTP/2, JSON and gRPC, and knows who asks", async () => {
  using folder = tempFolder();
  await using place = open(folder.path);
  const socket = await place.cell("poet", { taskId: "task-1" });
  assert.equal(statSync(socket).mode & 0o777, 0o666);
  const json = ["-H", "content-type: application/json", "-d", "{}"];
  const url = "http://broker/edge.v1.Broker/GetSelf";
  for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
    const self = JSON.parse(await curl(socket, version, ...json, url));
    assert.deepEqual([self.agent, self.agentVersion, self.task.id], ["poet", 1, "task-1"], version);
  }
  const grpc = new Client(`unix:${socket}`, credentials.createInsecure());
  const { getSelf } = grpcService(Broker);
  assert.ok(getSelf);
  const self = await new Promise((resolve, reject) => {
    const told = (error: ServiceError | null, answer: unknown) => (error ? reject(error) : resolve(answer));
    const { path, requestSerialize, responseDeserialize } = getSelf;
    grpc.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { $typeName: "edge.v1.GetSelfRequest" },
      told,
    );
  });
  grpc.close();
  assert.equal((self as { agent: string }).agent, "poet");
});

test("who asks is the socket, whatever a message or a header says", async () => {
  using folder = tempFolder();
  await using place = open(folder.path);
  const mine = await place.cell("critic", { taskId: "task-critic" });
  await place.cell("poet", { taskId: "task-poet" });
  const forged = {
    "x-agent": "poet",
    "edge-agent": "poet",
    authorization: "Bearer poet",
    "x-task-id": "task-poet",
  };
  const { body } = await ask(mine, "GetSelf", {}, forged);
  assert.deepEqual([body.agent, (body.task as { id: string }).id], ["critic", "task-critic"]);

  // A field that would name another is not there to be filled in.
  const named = await ask(mine, "GetSelf", { agent: "poet" }, forged);
  assert.equal(named.status, 400);
  const message = { topic: "poems.new", payload: "", publisher: "agent/poet", taskId: "task-poet" };
  assert.equal((await ask(mine, "Publish", { message }, forged)).status, 400);
  const { publisher: _, taskId: __, ...plain } = message;
  const refused = await ask(mine, "Publish", { message: plain }, forged);
  assert.equal(failureOf(refused).kind, "FAILURE_KIND_DENIED");
  assert.match(String(failureOf(refused).message), /agent critic may not publish to poems\.new/);

  // Sessions of another are not there, and its memory is closed.
  const other = await ask(mine, "Sessions/CreateSession", { agent: "poet" }, forged);
  assert.equal(failureOf(other).kind, "FAILURE_KIND_DENIED");
  const memory = await ask(mine, "Memory/SearchMemory", { group: "poet" }, forged);
  assert.equal(failureOf(memory).kind, "FAILURE_KIND_DENIED");
  assert.match(
    await curl(mine, "-H", "x-agent: poet", "http://gateway/llm/v1/models"),
    /^critic task-critic GET/,
  );
  assert.deepEqual(place.noted, ["agent/critic task-critic publish rights.publish message.topic poems.new"]);
});

test("a container that waits for its task may ask who it is; all else waits with it", async () => {
  using folder = tempFolder();
  await using place = open(folder.path);
  const socket = await place.cell("poet", { taskId: "task-7", isWarm: true });
  const { body } = await ask(socket, "GetSelf");
  assert.deepEqual([body.agent, body.task], ["poet", undefined]);
  const waits = ask(socket, "Publish", { message: { topic: "poems.a" } });
  await ask(socket, "GetSelf");
  assert.equal(place.topics.log.last, 0);
  place.claim("poet", "task-7");
  assert.equal((await waits).status, 200);
  assert.equal(place.topics.log.at(1)?.taskId, "task-7");
});

test("messages go between agents as their rights say, and the node's topics are the node's", async () => {
  using folder = tempFolder();
  await using place = open(folder.path);
  const [one, two] = [await place.cell("poet"), await place.cell("poet")];
  const stop = new AbortController();
  const heard = stream(
    one,
    "Subscribe",
    { filter: { topics: ["poems.*"] }, afterSequence: "0" },
    stop.signal,
  );
  const first = heard.next();
  const published = await ask(two, "Publish", { message: { topic: "poems.new", payload: base64("ode") } });
  assert.equal(published.body.sequence, "1");
  const { message } = (await first).value as { message: Record<string, unknown> };
  assert.deepEqual(
    [message.topic, message.publisher, message.taskId, message.payload],
    ["poems.new", "agent/poet", "task-2", base64("ode")],
  );
  stop.abort();

  for (const topic of ["node.agent.poet", "node", "tree.task-1", "elsewhere"]) {
    const refused = await ask(two, "Publish", { message: { topic } });
    assert.equal(failureOf(refused).kind, "FAILURE_KIND_DENIED", topic);
  }
  for (const topics of [["elsewhere"], [">"], ["tree.task-1"], ["tree.*"], ["node.>"]]) {
    const told = await Array.fromAsync(
      stream(two, "Subscribe", { filter: { topics } }, AbortSignal.timeout(60_000)),
    );
    assert.match(JSON.stringify(told[0]), /"code":"permission_denied"/, topics.join());
  }
});

test("tasks of a tree tell each other, all or one, and nobody else hears it", async () => {
  using folder = tempFolder();
  await using place = open(folder.path);
  const root = await place.cell("poet", { taskId: "root" });
  const child = await place.cell("critic", { taskId: "child", rootId: "root" });
  const stranger = await place.cell("critic", { taskId: "stranger" });
  const listen = (socket: string) =>
    stream(socket, "Subscribe", { afterSequence: "0" }, AbortSignal.timeout(60_000));
  const [atRoot, atChild] = [listen(root), listen(child)];
  const [first, second] = [atRoot.next(), atChild.next()];
  const untilBoth = async () => {
    while (place.topics.subscriptions().length < 2) await new Promise((resolve) => setImmediate(resolve));
  };
  await untilBoth();
  assert.equal((await ask(root, "Tell", { payload: base64("all") })).body.tasks, 1);
  assert.equal((await ask(child, "Tell", { taskId: "root", payload: base64("one") })).body.tasks, 1);
  const texts = [await first, await second].map(
    ({ value }) => (value as { message: { payload: string } }).message.payload,
  );
  assert.deepEqual(texts, [base64("one"), base64("all")]);
  assert.equal((await ask(stranger, "Tell", { taskId: "root" })).status, 404);
  await Promise.all([atRoot.return(undefined), atChild.return(undefined)]);
});

test("a call goes to a task that takes calls, and only that one may reply", async () => {
  using folder = tempFolder();
  await using place = open(folder.path);
  const asks = await place.cell("poet", { taskId: "asks" });
  const [one, two] = [
    await place.cell("critic", { taskId: "one" }),
    await place.cell("critic", { taskId: "two" }),
  ];
  const nobody = await ask(asks, "Call", { agent: "critic" });
  assert.equal(failureOf(nobody).kind, "FAILURE_KIND_UNAVAILABLE");
  assert.equal(failureOf(await ask(asks, "Call", { agent: "poet" })).kind, "FAILURE_KIND_DENIED");

  const takenBy = {
    one: stream(one, "TakeCalls", {}, AbortSignal.timeout(60_000)),
    two: stream(two, "TakeCalls", {}, AbortSignal.timeout(60_000)),
  };
  const coming = [takenBy.one.next(), takenBy.two.next()];
  const replies: Promise<Told>[] = [];
  // Whoever is not there yet is asked again: a client would do the same.
  const call = async (text: string): Promise<Told> => {
    const told = await ask(asks, "Call", { agent: "critic", payload: base64(text) });
    return told.status === 503 ? call(text) : told;
  };
  replies.push(call("a"), call("b"));
  const calls = (await Promise.all(coming)).map(
    ({ value }) => value as { callId: string; payload: string; taskId: string },
  );
  assert.deepEqual(calls.map(({ payload }) => payload).toSorted(), [base64("a"), base64("b")]);
  assert.deepEqual(
    calls.map(({ taskId }) => taskId),
    ["asks", "asks"],
  );

  const stolen = await ask(two, "Reply", { callId: calls[0]?.callId, payload: base64("no") });
  assert.equal(failureOf(stolen).kind, "FAILURE_KIND_DENIED");
  await ask(one, "Reply", { callId: calls[0]?.callId, payload: calls[0]?.payload });
  await ask(two, "Reply", { callId: calls[1]?.callId, refused: "not today" });
  const answers = await Promise.all(replies);
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 400]);
  assert.match(JSON.stringify(answers), /not today/);
  assert.equal((await ask(one, "Reply", { callId: calls[0]?.callId })).status, 404);

  const late = await ask(asks, "Call", { agent: "critic", timeoutMs: 20 });
  assert.equal(failureOf(late).kind, "FAILURE_KIND_DEADLINE");
  await Promise.all([takenBy.one.return(undefined), takenBy.two.return(undefined)]);
});

test("a lock has one holder, waiters in order, and fences that only grow, also after a restart", async () => {
  using folder = tempFolder();
  let highest = 0;
  {
    await using place = open(folder.path);
    const [one, two, three] = await Promise.all(
      ["one", "two", "three"].map((taskId) => place.cell("poet", { taskId, rootId: "one" })),
    );
    assert.ok(one && two && three);
    const fence = ({ body }: Told) => Number(body.fence);
    const first = fence(await ask(one, "AcquireLock", { name: "pen" }));
    assert.equal(fence(await ask(one, "AcquireLock", { name: "pen" })), first);
    const held = await ask(two, "AcquireLock", { name: "pen" });
    assert.equal(failureOf(held).kind, "FAILURE_KIND_CONFLICT");
    assert.match(String(failureOf(held).message), /held by task one/);
    const second = ask(two, "AcquireLock", { name: "pen", waitMs: 60_000 });
    await ask(two, "GetSelf");
    const third = ask(three, "AcquireLock", { name: "pen", waitMs: 60_000, leaseMs: 20 });
    await ask(three, "GetSelf");
    await ask(two, "ReleaseLock", { name: "pen" });
    place.tasks.end("one");
    const next = fence(await second);
    assert.ok(next > first);
    await ask(two, "ReleaseLock", { name: "pen" });
    highest = fence(await third);
    assert.ok(highest > next);
    // Its lease ends, and nobody gave it back.
    highest = fence(await ask(two, "AcquireLock", { name: "pen", waitMs: 60_000 }));
  }
  await using place = open(folder.path);
  const socket = await place.cell("poet", { taskId: "later", rootId: "one" });
  assert.ok(Number((await ask(socket, "AcquireLock", { name: "pen" })).body.fence) > highest);
});

test("what is too much is refused with a sentence, told once, and keeps nobody else from asking", async () => {
  using folder = tempFolder();
  await using place = open(folder.path);
  const [wild, calm] = [await place.cell("poet", { taskId: "wild" }), await place.cell("critic")];
  const stop = new AbortController();
  const streams = Array.from({ length: 40 }, () =>
    stream(wild, "Subscribe", { afterSequence: "0" }, stop.signal),
  );
  // Eight are one too many each; the others have nothing to tell yet.
  const ended = await Promise.race(streams.map((one) => one.next()));
  assert.match(JSON.stringify(ended.value), /"code":"resource_exhausted".*32 streams of this container/);
  assert.equal((await ask(wild, "GetSelf")).status, 200);
  stop.abort();
  await Promise.allSettled(streams.map((one) => one.next()));
  const told = place.facts().filter((fact) => fact.case === "sandboxIncident");
  assert.equal(told.length, 1);

  // The hundredth connection of one container is closed at once, and keeps nobody else out.
  const sockets = Array.from({ length: 100 }, () =>
    connect(wild)
      .on("error", () => {})
      .resume(),
  );
  await new Promise((ended) => sockets.at(-1)?.once("close", ended));
  assert.equal((await ask(calm, "GetSelf")).status, 200);
  for (const one of sockets) one.destroy();

  // Requests that do not come to their end are counted from their beginning.
  {
    using one = halves(calm, 60);
    using other = halves(calm, 60);
    assert.equal(await Promise.race([...one.statuses, ...other.statuses]), 429);
  }
  await until("there is room again", async () => (await ask(calm, "GetSelf")).status === 200);

  const large = await ask(calm, "Publish", { message: { topic: "a", payload: base64("x".repeat(300_000)) } });
  assert.equal(failureOf(large).kind, "FAILURE_KIND_INVALID");
  const huge = await ask(calm, "Publish", { message: { topic: "a", payload: base64("x".repeat(2 << 20)) } });
  assert.equal(huge.status, 429);
});

/** A connection over HTTP/2, with so many requests on it of which the end never comes. */
function halves(socketPath: string, count: number) {
  const session = connectHttp2("http://broker", { createConnection: () => connect(socketPath) });
  const statuses = Array.from({ length: count }, () => {
    const headers = {
      ":method": "POST",
      ":path": "/edge.v1.Broker/GetSelf",
      "content-type": "application/json",
    };
    const stream = session.request(headers, { endStream: false });
    stream.on("error", () => {}).write("{");
    return new Promise<number>((resolve) =>
      stream.on("response", (told) => resolve(Number(told[":status"]))),
    );
  });
  return { statuses, [Symbol.dispose]: () => session.destroy() };
}

test("the node's policy is asked about every call", async () => {
  using folder = tempFolder();
  await using place = open(folder.path);
  const socket = await place.cell("poet", { taskId: "task-1" });
  place.denials.set("acquire_lock", [
    create(PolicyDenialSchema, {
      rule: "no.locks",
      field: "name",
      value: "pen",
      message: "locks are not wanted here",
    }),
  ]);
  for (let times = 0; times < 3; times++) {
    const { kind, message } = failureOf(await ask(socket, "AcquireLock", { name: "pen" }));
    assert.equal(kind, "FAILURE_KIND_DENIED");
    assert.match(String(message), /no\.locks/);
  }
  assert.equal((await ask(socket, "ReleaseLock", { name: "pen" })).status, 200);
  assert.deepEqual(place.noted, ["agent/poet task-1 acquire_lock no.locks name pen"]);
});

test("a socket is opened again where it was after a restart, and is gone when its cell is", async () => {
  using folder = tempFolder();
  let socket = "";
  {
    await using place = open(folder.path);
    socket = await place.cell("poet", { taskId: "task-1" });
  }
  await assert.rejects(ask(socket, "GetSelf"), { code: "ENOENT" });
  await using place = open(folder.path);
  assert.equal(await place.cell("poet", { taskId: "task-1" }), socket);
  assert.equal((await ask(socket, "GetSelf")).status, 200);
  const idle = connect(socket);
  const closed = new Promise((resolve) => idle.once("close", resolve));
  idle.on("error", () => {});
  await new Promise((resolve) => idle.once("connect", resolve));
  await place.broker.release("cell-poet-task-1");
  await closed;
  assert.ok(!existsSync(socket));
  await place.broker.release("cell-poet-task-1");
  assert.ok(!existsSync(join(folder.path, "cell-poet-task-1", "broker.sock")));
});
