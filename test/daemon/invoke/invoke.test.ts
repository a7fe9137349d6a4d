import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { InvokeScheme } from "../../../gen/edge/v1/invoke_pb.ts";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { makeCertificate } from "../../../samples/openplc/certificate.ts";
import { failure } from "../../../src/base/failure.ts";
import { connectTo } from "../../../src/daemon/invoke/connect.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { openRoom, serve, serveRaw } from "./room.ts";

const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

test("status, headers and every byte of a body go both ways, and redirects are not followed", async () => {
  using folder = tempFolder();
  using room = openRoom(folder.path);
  const seen: string[] = [];
  await using upstream = await serve((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.rawHeaders.join("|")}`);
    const headers = { location: "/elsewhere", "set-cookie": ["a=1", "b=2"], "content-type": "x/y" };
    if (request.method === "GET") response.writeHead(302, headers);
    else response.writeHead(500, { "keep-alive": "timeout=9" });
    request.pipe(response);
  });
  const { port } = upstream;
  const found = await room.send({ port, path: "/a%20b?x=1&y=%2F", headers: [{ name: "X-Two", value: "2" }] });
  assert.equal(found.status, 302);
  const headers = (found.headers ?? []).map(({ name, value }) => `${name}: ${value}`);
  assert.deepEqual(headers.slice(0, 4), [
    "location: /elsewhere",
    "set-cookie: a=1",
    "set-cookie: b=2",
    "content-type: x/y",
  ]);
  const failed = await room.send({ port, method: "POST", body: bytes });
  assert.equal(failed.status, 500, "an answer, whatever it is, is a success of the call");
  assert.deepEqual(Uint8Array.from(failed.body ?? []), bytes);
  assert.ok(
    failed.headers?.every(({ name }) => !/^(connection|keep-alive|transfer-encoding)$/i.test(name ?? "")),
  );
  assert.deepEqual(seen, [
    `GET /a%20b?x=1&y=%2F host|127.0.0.1:${port}|X-Two|2|connection|close`,
    `POST / host|127.0.0.1:${port}|content-length|256|connection|close`,
  ]);
});

test("a HEAD has the length of what it stands for, and no body", async () => {
  using folder = tempFolder();
  using room = openRoom(folder.path);
  await using upstream = await serve((_, response) => response.setHeader("content-length", 5_000_000).end());
  const { status, headers, body } = await room.send({ port: upstream.port, method: "HEAD" });
  assert.equal(status, 200);
  assert.ok(headers?.some(({ name, value }) => name === "content-length" && value === "5000000"));
  assert.equal(body?.length, 0);
});

const refusedAsks: [what: string, asks: Parameters<ReturnType<typeof openRoom>["send"]>[0], field: RegExp][] =
  [
    ["a line break in a header", { headers: [{ name: "X", value: "a\r\nHost: b" }] }, /headers\[0\]\.value/],
    ["a header that is none", { headers: [{ name: "X Y", value: "" }] }, /headers\[0\]\.name/],
    ["a Host of one's own", { headers: [{ name: "Host", value: "b" }] }, /headers\[0\]\.name/],
    ["chunks of one's own", { headers: [{ name: "Transfer-Encoding", value: "chunked" }] }, /headers\[0\]/],
    ["a line break in the path", { path: "/ HTTP/1.1\r\nX: y" }, /path/],
    ["a path without a slash", { path: "api" }, /path/],
    ["a way out of the path", { path: "/api/../etc" }, /path/],
    ["the same, encoded", { path: "/api/.%2E/etc" }, /path/],
    ["the same, with parameters", { path: "/api/..;x/etc" }, /path/],
    ["an encoded slash", { path: "/api%2fetc" }, /path/],
    ["a backslash", { path: "/api\\etc" }, /path/],
    ["a method that makes a tunnel", { method: "CONNECT" }, /method/],
    ["a new certificate without TLS", { trustNewCertificate: true }, /trust_new_certificate/],
  ];
for (const [what, asks, field] of refusedAsks) {
  test(`${what} is refused by name`, async () => {
    using folder = tempFolder();
    using room = openRoom(folder.path);
    const refusal = { kind: "invalid", message: field };
    await assert.rejects(async () => await room.send({ port: 1, ...asks }), refusal);
  });
}

test("only ports and paths that the node allows are asked", async () => {
  using folder = tempFolder();
  await using upstream = await serve((_, response) => response.end("here"));
  using room = openRoom(folder.path, [`${upstream.port}:/api/*`, `${upstream.port}:/health`, "published:/*"]);
  const status = async (path: string) => (await room.send({ port: upstream.port, path })).status;
  assert.deepEqual([await status("/api/x?y=/z"), await status("/health")], [200, 200]);
  for (const path of ["/", "/health/x", "/apix", "//api/x", "/?/api/x"]) {
    await assert.rejects(room.send({ port: upstream.port, path }), {
      kind: "denied",
      message: /invoke\.allow/,
    });
  }
  await assert.rejects(room.send({ port: 8080 }), { word: "refused" }, "published, so it was tried");
  await assert.rejects(
    room.send({ port: 18080 }),
    { kind: "denied" },
    "the node's port is not the runtime's",
  );
  assert.equal(upstream.connections, 2);
});

test("a runtime that is not there, does not run or does not listen is told in words and in a code", async () => {
  using folder = tempFolder();
  using room = openRoom(folder.path);
  await assert.rejects(room.send({ runtime: "plc2" }), { kind: "not_found" });
  await assert.rejects(room.send({ port: 1 }), { kind: "unavailable", word: "refused", message: /:1/ });
  Object.assign(room.runtime, { phase: RuntimePhase.STOPPED, reason: "as wished" });
  await assert.rejects(room.send({}), { kind: "unavailable", word: "not_running", message: /as wished/ });
});

const endless =
  (line: string) => async (write: (text: string) => boolean, drained: () => Promise<unknown>) => {
    for (;;) if (!write(line.repeat(1000))) await drained();
  };
const evils: [
  what: string,
  says: string,
  goesOn: ReturnType<typeof endless> | "silent" | "ends",
  told: object,
][] = [
  ["never answers", "", "silent", { word: "timed_out", message: /waiting for the answer/ }],
  [
    "stops in the middle",
    "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour",
    "silent",
    { word: "timed_out", message: /reading/ },
  ],
  ["hangs up at once", "", "ends", { word: "reset" }],
  [
    "hangs up in the middle",
    "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour",
    "ends",
    { word: "reset", message: /4 bytes/ },
  ],
  ["speaks something else", "SSH-2.0-OpenSSH_9.2\r\n", "silent", { word: "bad_response" }],
  [
    "wants another protocol",
    "HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    "silent",
    { word: "bad_response" },
  ],
  [
    "answers 200 and then garbage",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\x00\xffnot a chunk\r\n",
    "silent",
    { word: "bad_response" },
  ],
  ["sends headers without end", "HTTP/1.1 200 OK\r\n", endless("x: y\r\n"), { word: "bad_response" }],
  ["sends early hints without end", "", endless("HTTP/1.1 103 H\r\n\r\n"), { word: "timed_out" }],
  [
    "announces 2 GiB",
    "HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\n",
    "silent",
    { kind: "exhausted" },
  ],
  [
    "sends without end",
    "HTTP/1.1 200 OK\r\n\r\n",
    endless("body"),
    { kind: "exhausted", message: /983040 bytes/ },
  ],
];
for (const [what, says, goesOn, told] of evils) {
  test(`a runtime that ${what} holds up nobody`, async () => {
    using folder = tempFolder();
    using room = openRoom(folder.path);
    await using upstream = await serveRaw((socket) => {
      socket.once("data", () => {
        socket.write(says);
        if (goesOn === "ends") socket.end();
        else if (goesOn !== "silent") {
          const gone = once(socket, "close").then(() => Promise.reject(new Error("gone")));
          goesOn(
            (text) => socket.write(text),
            () => Promise.race([once(socket, "drain"), gone]),
          ).catch(() => {});
        }
      });
    });
    const timeoutMs = "word" in told && told.word === "timed_out" ? 1_500 : 20_000;
    await assert.rejects(room.send({ port: upstream.port, timeoutMs }), { kind: "unavailable", ...told });
  });
}

test("one byte at a time is read for as long as there is time, and no longer", async () => {
  using folder = tempFolder();
  using room = openRoom(folder.path);
  await using upstream = await serve((_, response) => {
    const drip = setInterval(() => response.write("x"), 20);
    response.on("close", () => clearInterval(drip));
  });
  await assert.rejects(room.send({ port: upstream.port, timeoutMs: 700 }), {
    kind: "unavailable",
    word: "timed_out",
    message: /reading the answer/,
  });
});

test("who asks for TLS where there is none is told so, and the other way round", async () => {
  using folder = tempFolder();
  using room = openRoom(folder.path);
  await using plain = await serve((_, response) => response.end());
  const certificate = await makeCertificate(folder.path);
  await using secure = await serve((_, response) => response.end(), { certificate });
  await assert.rejects(room.send({ port: plain.port, scheme: InvokeScheme.HTTPS }), {
    word: "tls",
    message: /plain HTTP/,
  });
  await assert.rejects(room.send({ port: secure.port }), { kind: "unavailable" });
});

test("a TLS handshake that nobody goes on with ends", async () => {
  await using upstream = await serveRaw(() => {});
  const signal = new AbortController().signal;
  const destination = { address: "127.0.0.1", port: upstream.port, tls: true };
  const told = { kind: "unavailable", word: "timed_out", message: /TLS handshake within 100 ms/ };
  await assert.rejects(connectTo(destination, { signal, timeoutMs: 100 }), told);
});

test("a certificate is pinned at first contact; another one gets no request until it is trusted", async () => {
  using folder = tempFolder();
  using other = tempFolder();
  let port = 0;
  const asks = { scheme: InvokeScheme.HTTPS, headers: [{ name: "authorization", value: "Bearer secret" }] };
  let served = 0;
  const answer = (_: unknown, response: { end(text: string): void }) => {
    served++;
    response.end("ok");
  };
  let first = "";
  {
    await using upstream = await serve(answer, { certificate: await makeCertificate(folder.path) });
    using room = openRoom(folder.path);
    ({ port } = upstream);
    first = (await room.send({ port, ...asks })).certificateSha256 ?? "";
    assert.match(first, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    await room.send({ port, ...asks, trustNewCertificate: true });
    assert.deepEqual(room.changes(), ["PINNED"], "the same is no news");
  }
  await using _upstream = await serve(answer, { port, certificate: await makeCertificate(other.path) });
  {
    using room = openRoom(folder.path);
    const refusal = { kind: "conflict", word: "certificate", message: new RegExp(`${first} was expected`) };
    for (const _ of [1, 2]) await assert.rejects(room.send({ port, ...asks }), refusal);
    assert.equal(served, 2, "nothing was sent to a stranger");
    const second = await room.send({ port, ...asks, trustNewCertificate: true });
    assert.notEqual(second.certificateSha256, first);
    await room.send({ port, ...asks });
    assert.deepEqual(room.changes(), ["PINNED", "REFUSED", "REPLACED"]);

    // A later runtime of the same name is another one, with a first contact of its own.
    room.runtime.createdAt = timestampFromMs(2_000);
    await room.send({ port, ...asks });
    assert.deepEqual(room.changes().slice(3), ["PINNED"]);
  }
});

test("four requests at once are at a runtime; more wait, and too many are refused", async () => {
  using folder = tempFolder();
  using room = openRoom(folder.path);
  const waiting: (() => void)[] = [];
  let most = 0;
  await using upstream = await serve((_, response) => {
    waiting.push(() => response.end());
    most = Math.max(most, waiting.length);
    if (most === 4) for (const end of waiting.splice(0)) end();
  });
  const all = Array.from({ length: 21 }, () =>
    room.send({ port: upstream.port }).catch((thrown: unknown) => thrown),
  );
  const last = await all[20];
  assert.equal((last as { kind?: string }).kind, "exhausted");
  // The rest comes in rounds; a fifth at once would be seen.
  const rounds = setInterval(() => {
    for (const end of waiting.splice(0)) end();
  }, 10);
  const outcomes = await Promise.all(all);
  clearInterval(rounds);
  assert.equal(most, 4);
  assert.equal(outcomes.filter((one) => (one as { status?: number }).status === 200).length, 20);
});

test("who waits for a turn until its time is over hears that, and is forgotten", async () => {
  using folder = tempFolder();
  using room = openRoom(folder.path);
  await using upstream = await serve(() => {}); // Never answers.
  const { port } = upstream;
  const end = new AbortController();
  const hanging = Array.from({ length: 4 }, () =>
    room.send({ port }, { signal: end.signal }).catch((thrown: unknown) => thrown),
  );
  await assert.rejects(room.send({ port, timeoutMs: 100 }), { kind: "exhausted", message: /other requests/ });
  end.abort(failure("cancelled", "called off"));
  for (const one of await Promise.all(hanging)) assert.equal((one as { kind?: string }).kind, "cancelled");
});

test("after a crash a GET is sent again, and a POST in doubt is not", async () => {
  using folder = tempFolder();
  const seen: string[] = [];
  let answers = false;
  await using upstream = await serve((request, response) => {
    seen.push(request.method ?? "");
    if (answers) response.end();
  });
  const { port } = upstream;
  {
    using room = openRoom(folder.path);
    for (const method of ["GET", "POST"]) {
      room.send({ port, method }, { id: `cmd-${method}` }).catch(() => {}); // Nobody is left to hear of it.
    }
    while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  answers = true;
  using room = openRoom(folder.path);
  assert.equal((await room.send({ port }, { id: "cmd-GET" })).status, 200);
  const doubt = { kind: "unavailable", word: "in_doubt", message: /may have been done/ };
  await assert.rejects(room.send({ port, method: "POST" }, { id: "cmd-POST" }), doubt);
  assert.deepEqual(seen.toSorted(), ["GET", "GET", "POST"]);
  assert.equal((await room.send({ port, method: "POST" })).status, 200, "another command is another deed");
});

test("a POST that got no answer says that it may have been done", async () => {
  using folder = tempFolder();
  using room = openRoom(folder.path);
  await using upstream = await serve(() => {});
  const told = { kind: "unavailable", word: "timed_out", message: /may have been done/ };
  await assert.rejects(room.send({ port: upstream.port, method: "POST", timeoutMs: 1_000 }), told);
  await assert.rejects(
    room.send({ port: 1, method: "POST" }),
    (thrown: Error) => !/may have been/.test(thrown.message),
  );
});
