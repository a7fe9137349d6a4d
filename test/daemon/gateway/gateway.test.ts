/** The gateway between real servers: what agents get through it, and what they do not. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  request as send,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { startStandIn } from "../../../examples/llm-stand-in/server.ts";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import type { LlmProvider } from "../../../src/daemon/gateway/llm-settings.ts";
import { selfSigned } from "../../fixtures/certificate.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";
import { agent, openSecrets } from "../credentials/room.ts";

const secret = "sk-the-secret-of-the-test";
const opened = new AsyncDisposableStack();
after(() => opened.disposeAsync());
const folder = opened.use(tempFolder());

/** What the upstream was asked, as it saw it. */
const seen: IncomingMessage[] = [];
const answers: Record<string, RequestListener> = {
  "/echo": (request, response) => {
    response.writeHead(200, {
      "x-echo": request.headers.authorization,
      connection: "x-hop",
      "x-hop": "1",
      "set-cookie": ["a=1", "b=2"],
    });
    response.end(`you sent ${request.headers.authorization} and ${String(request.headers["x-own"])}`);
  },
  "/packed": (request, response) => {
    response.writeHead(200, { "content-encoding": "gzip" });
    response.end(gzipSync(`packed ${request.headers.authorization}`));
  },
  "/away": (_, response) => response.writeHead(302, { location: "http://169.254.169.254/" }).end(),
  "/upload": (request, response) => void text(request).then((body) => response.end(`${body.length}`)),
  "/endless": (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(65_536))) sent.endless += 65_536;
    };
    response.on("drain", more);
    more();
  },
  "/broken": (_, response) => {
    response.write("half");
    setTimeout(() => response.destroy(), 20);
  },
};
const sent = { endless: 0 };

function listening(server: Server): Server {
  opened.defer(() => void server.closeAllConnections());
  opened.defer(() => void server.close());
  return server.listen(0, "127.0.0.1");
}

const origin = (server: Server, scheme = "http") => {
  const address = server.address();
  return `${scheme}://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
};

const upstream = listening(
  createServer((request, response) => {
    seen.push(request);
    (answers[request.url ?? ""] ?? answers["/echo"])?.(request, response);
  }),
);
const [certificate, key] = [join(folder.path, "ca.pem"), join(folder.path, "key.pem")];
selfSigned(certificate, key, "IP:127.0.0.1");
const tls = { cert: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
const secure = listening(createTlsServer(tls, (request, response) => answers["/echo"]?.(request, response)));
const model = await startStandIn({ key: secret });
opened.defer(() => void model.close());

/** A provider that fails as it is told to. */
const moods: ("503" | "cut" | "slow" | "ok")[] = [];
const moody = listening(
  createServer((_, response) => {
    const mood = moods.shift() ?? "ok";
    if (mood === "503") return response.writeHead(503).end(`{"error":{"message":"busy, ${secret}"}}`);
    if (mood === "cut") return response.destroy();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(
      `data: {"model":"m","choices":[{"index":0,"delta":{"content":"${"word ".repeat(20)}"}}]}\n\n`,
    );
    if (mood === "slow") return undefined;
    return response.end(
      `data: {"choices":[{"index":0,"delta":{"content":"${"word ".repeat(40)}"}}]}\n\ndata: [DONE]\n\n`,
    );
  }),
);
await Promise.all(
  [upstream, secure, moody].map(async (one) => one.listening || (await once(one, "listening"))),
);

const provider = (name: string, api: "openai" | "ollama", url: string, credential: string): LlmProvider => ({
  ...{
    name,
    api,
    url,
    credential,
    embeddings: [{ alias: `${name}-vectors`, model: "v", input_cost_micros: 0, output_cost_micros: 0 }],
  },
  models: [{ alias: name, model: "m", input_cost_micros: 2_000_000, output_cost_micros: 8_000_000 }],
});
const at = {
  upstream: origin(upstream),
  secure: origin(secure, "https"),
  model: origin(model),
  moody: origin(moody),
};
const all = ["open", "llama", "moody", "wrong", "open-vectors", "llama-vectors"];
const lent = (name: string, url: string) => ({ name, upstream: { url } });
const agents = {
  poet: agent({
    name: "poet",
    credentials: [
      lent("key", at.upstream),
      lent("tls", at.secure),
      lent("gone", "http://127.0.0.1:1"),
      lent("name", at.upstream.replace("127.0.0.1", "localhost.localdomain")),
    ],
    llm: { aliases: all },
  }),
  miser: agent({ name: "miser", llm: { aliases: all, tokensPerDay: 40n } }),
  other: agent({ name: "other" }),
};
/** Pauses are shorter than a person's. */
const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 50, signal) };
const secrets = opened.use(
  openSecrets({
    clock,
    ...{ folder: folder.path, agents },
    providers: [
      provider("open", "openai", `${at.model}/v1`, "model"),
      provider("llama", "ollama", at.model, "model"),
      provider("moody", "openai", at.moody, "model"),
      provider("wrong", "openai", at.model, "key-of-another"),
    ],
  }),
);
for (const name of ["key", "tls", "gone", "name", "model"]) await secrets.set(name, secret);
await secrets.set("key-of-another", "sk-another-secret");

/** The door of one cell: who asks is the socket. */
const doors = new Map<string, string>();
for (const name of Object.keys(agents)) {
  const path = join(folder.path, `${name}.sock`);
  const who = { id: `cell-${name}`, agent: name, version: 1, taskId: `task-${name}` };
  const server = createServer(
    (request, response) => void secrets.gateway.handle(request, response, who),
  ).listen(path);
  opened.defer(() => void server.closeAllConnections());
  opened.defer(() => void server.close());
  doors.set(name, path);
}

interface Options {
  as?: keyof typeof agents;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

async function begin(
  path: string,
  { as = "poet", method = "GET", headers = {}, body = "" }: Options = {},
): Promise<IncomingMessage> {
  const socketPath = doors.get(as) ?? "";
  const asking = send({ socketPath, path, method, headers: { host: "gateway", ...headers } });
  asking.end(body);
  const [answer] = (await once(asking, "response")) as [IncomingMessage];
  return answer;
}

async function ask(path: string, options: Options = {}) {
  const answer = await begin(path, options);
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

const chat = (model: string, content: string, more: object = {}, as: Options["as"] = "poet") => {
  const body = JSON.stringify({ model, messages: [{ role: "user", content }], ...more });
  return ask("/llm/v1/chat/completions", { as, method: "POST", body });
};
const errorOf = (body: string) =>
  (JSON.parse(body) as { error: { message: string; type: string; code: string } }).error;
const eventsIn = (body: string) =>
  [...body.matchAll(/^data: (\{.*\})$/gm)].map(
    ([, one = ""]) =>
      JSON.parse(one) as {
        model?: string;
        usage?: object;
        error?: { code: string };
        choices?: { delta: { content?: string }; finish_reason: string | null }[];
      },
  );

test("the upstream gets the secret, and the agent everything but it", async () => {
  const { status, headers, body } = await ask("/upstream/key/echo", {
    headers: { authorization: "Bearer forged", "x-own": "mine", te: "trailers" },
  });
  assert.equal(status, 200);
  const stars = "*".repeat(secret.length);
  assert.equal(body, `you sent Bearer ${stars} and mine`);
  assert.deepEqual(
    [headers["x-echo"], headers["x-hop"], headers["set-cookie"]],
    [`Bearer ${stars}`, undefined, ["a=1", "b=2"]],
  );
  const asked = seen.at(-1)?.headers;
  assert.deepEqual(
    [asked?.authorization, asked?.host, asked?.te],
    [`Bearer ${secret}`, at.upstream.slice(7), undefined],
  );
  assert.equal((await ask("/upstream/key/packed")).body, `packed Bearer ${stars}`);
  assert.equal(
    (await ask("/upstream/key/upload", { method: "POST", body: "x".repeat(300_000) })).body,
    "300000",
  );
  const away = await ask("/upstream/key/away");
  assert.deepEqual(
    [away.status, away.headers.location],
    [302, "http://169.254.169.254/"],
    "nothing is followed",
  );
});

test("what a manifest does not name is denied, told once, and noted; a certificate must be trusted", async () => {
  const denied = await Promise.all([1, 2, 3].map(() => ask("/upstream/model/x", { as: "other" })));
  assert.deepEqual(
    denied.map(({ status }) => status),
    [403, 403, 403],
  );
  assert.match(errorOf(denied[0]?.body ?? "").message, /agent other has no credential "model"/);
  const facts = await until("the denials are told", () => {
    const found = secrets.facts().flatMap((one) => (one.case === "egressDenied" ? [one.value] : []));
    return found.reduce((sum, { count }) => sum + count, 0n) === 3n && found;
  });
  assert.deepEqual([facts[0]?.agent, facts[0]?.taskId, facts[0]?.protocol], ["other", "task-other", "http"]);
  const audited = await secrets.audited();
  assert.ok(audited.some((line) => line.startsWith("gateway agent/other denied")));
  assert.ok(
    audited.some((line) => line.startsWith("use credential/key ok: revision 1, for GET http://127.0.0.1")),
  );

  assert.match(
    errorOf((await ask("/upstream/tls/echo")).body).message,
    /cannot be trusted .*credentials.ca_file/,
  );
  using trusting = openSecrets({ folder: join(folder.path, "trusting"), agents, extraCa: [tls.cert] });
  await trusting.set("tls", secret);
  const server = createServer(
    (request, response) =>
      void trusting.gateway.handle(request, response, { id: "c", agent: "poet", version: 1, taskId: "" }),
  );
  doors.set("trusting", join(folder.path, "trusting.sock"));
  server.listen(doors.get("trusting"));
  opened.defer(() => void server.close());
  const through = await ask("/upstream/tls/echo", { as: "trusting" as "poet" });
  assert.equal(through.status, 200);
  const gone = await ask("/upstream/gone/");
  assert.deepEqual([gone.status, errorOf(gone.body).type], [502, "unavailable"]);
  const led = await ask("/upstream/name/");
  assert.ok([403, 502].includes(led.status ?? 0), "a name that leads to the node itself, or nowhere");
});

test("an answer comes as fast as it is read, an end is an end, and a request that is given up ends upstream", async () => {
  const answer = await begin("/upstream/key/endless");
  answer.pause();
  const before = await until("the upstream is held up", async () => {
    const was = sent.endless;
    await sleep(100);
    return sent.endless === was && was;
  });
  assert.ok(before < 16 << 20, `${before} bytes wait`);
  const { socket } = seen.at(-1) ?? assert.fail();
  answer.destroy();
  await until("the upstream's connection ends", () => socket.destroyed);
  await assert.rejects(ask("/upstream/key/broken"), /aborted/);
});

test("agents speak to every provider as to OpenAI, whole or as it comes, and their tokens are counted", async () => {
  for (const alias of ["open", "llama"]) {
    const whole = JSON.parse((await chat(alias, "roses are red")).body) as {
      model: string;
      choices: { message: { content: string }; finish_reason: string }[];
      usage: object;
    };
    assert.deepEqual(
      [whole.model, whole.choices[0]?.message.content, whole.choices[0]?.finish_reason],
      [alias, "You said: roses are red", "stop"],
    );
    assert.deepEqual(whole.usage, { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 });
    const { body, headers } = await chat(alias, "roses are red", {
      stream: true,
      stream_options: { include_usage: true },
    });
    const events = eventsIn(body);
    assert.equal(headers["content-type"], "text/event-stream");
    assert.equal(
      events.flatMap(({ choices = [] }) => choices.map(({ delta }) => delta.content ?? "")).join(""),
      "You said: roses are red",
    );
    assert.ok(events.every(({ model }) => model === alias) && body.endsWith("data: [DONE]\n\n"));
    assert.deepEqual(events.at(-1)?.usage, { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 });
    const quiet = eventsIn((await chat(alias, "roses are red", { stream: true })).body);
    assert.ok(
      quiet.every(({ usage }) => usage === undefined),
      "usage is told to who asks for it",
    );
    const completed = await ask("/llm/v1/completions", {
      method: "POST",
      body: JSON.stringify({ model: alias, prompt: "one two" }),
    });
    assert.equal(
      (JSON.parse(completed.body) as { choices: { text: string }[] }).choices[0]?.text,
      "You said: one two",
    );
    const vectors = await secrets.gateway.embed(
      `${alias}-vectors`,
      ["red rose", "a rose"],
      { agent: "poet", taskId: "" },
      AbortSignal.timeout(30_000),
    );
    assert.deepEqual(
      vectors.map((one) => one.length),
      [64, 64],
    );
  }
  const usage = secrets.gateway.usage({ agent: "poet", sinceMs: 0 }).find(({ alias }) => alias === "llama");
  assert.deepEqual(
    [usage?.requests, usage?.failed, usage?.inputTokens, usage?.outputTokens],
    [4n, 0n, 11n, 19n],
  );
  assert.equal(usage?.costMicros, 11n * 2n + 19n * 8n);
  const listed = JSON.parse((await ask("/llm/v1/models")).body) as { data: { id: string }[] };
  assert.deepEqual(
    listed.data.map(({ id }) => id),
    all,
  );
});

test("vectors for memory are within the manifest of the agent that they are for", async () => {
  const embed = (alias: string, agent: string, text = "a") =>
    secrets.gateway.embed(alias, [text], { agent, taskId: "" }, AbortSignal.timeout(30_000));
  assert.equal((await embed("open-vectors", "")).length, 1);
  await assert.rejects(embed("open-vectors", "other"), {
    kind: "not_found",
    message: /agent other has no model/,
  });
  await assert.rejects(embed("open-vectors", "nobody"), { kind: "not_found", message: /not deployed/ });
  await assert.rejects(embed("open", "poet"), {
    kind: "not_found",
    message: /for embeddings: it may use llama-vectors, open-vectors/,
  });
  await assert.rejects(embed("open-vectors", "miser", "word ".repeat(100)), { word: "budget_exhausted" });
});

test("a budget refuses what it does not hold, and ends a stream that leaves it", async () => {
  const long = await chat("open", "word ".repeat(100), {}, "miser");
  assert.deepEqual([long.status, errorOf(long.body).code], [429, "budget_exhausted"]);
  const events = eventsIn((await chat("moody", "go on", { stream: true }, "miser")).body);
  assert.deepEqual(
    [events.length, events.at(-1)?.error?.code],
    [2, "budget_exhausted"],
    "the second piece was too much",
  );
  const usage = () => secrets.gateway.usage({ agent: "miser", sinceMs: 0 });
  assert.ok(
    (usage().find(({ alias }) => alias === "moody")?.outputTokens ?? 0n) > 40n,
    "what was written is paid for",
  );
  assert.equal((await chat("open", "hi", {}, "miser")).status, 429);
  const none = await chat("open", "hi", {}, "other");
  assert.deepEqual([none.status, errorOf(none.body).code], [404, "model_not_found"]);
});

test("what fails before the first byte is tried again, and what fails after it is not", async () => {
  moods.push("503", "cut", "ok");
  assert.equal(eventsIn((await chat("moody", "hi", { stream: true })).body).length, 2);
  moods.push("503", "503", "503");
  const busy = await chat("moody", "hi");
  assert.deepEqual([busy.status, errorOf(busy.body).code], [502, "provider_error"]);
  assert.match(errorOf(busy.body).message, /answers 503: busy, \*+$/);
  const wrong = await chat("wrong", "hi");
  assert.match(errorOf(wrong.body).message, /answers 401: .*; is the credential key-of-another right\?/);
  moods.push("slow");
  const slow = await begin("/llm/v1/chat/completions", {
    method: "POST",
    body: JSON.stringify({ model: "moody", stream: true, messages: [] }),
  });
  await once(slow, "data");
  slow.destroy();
  await until(
    "the words that came are counted",
    () =>
      (secrets.gateway.usage({ agent: "poet", sinceMs: 0 }).find(({ alias }) => alias === "moody")?.failed ??
        0n) >= 2n,
  );
});

test("nothing that is kept or told holds a secret", async () => {
  const texts = [
    readFileSync(join(folder.path, "daemon.db"), "latin1"),
    readFileSync(join(folder.path, "daemon.db-wal"), "latin1"),
    ...(await secrets.audited()),
    JSON.stringify(secrets.facts(), (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    ),
  ];
  for (const told of texts)
    assert.ok(!told.includes(secret) && !told.includes(Buffer.from(secret).toString("base64")));
});
