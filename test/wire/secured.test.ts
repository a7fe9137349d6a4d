import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { type Authority, openAuthority } from "../../src/hub/enrolment/index.ts";
import { issueServer } from "../../src/hub/enrolment/issue.ts";
import type { Trust } from "../../src/wire/judge.ts";
import { secured } from "../../src/wire/secured.ts";
import { newIdentity } from "../fakes/node.ts";
import { type Folder, tempFolder } from "../fixtures/folder.ts";

const dayMs = 24 * 3_600_000;
const now = Date.now();

/** When a certificate is good, in days from now: of a machine whose clock is that much wrong, the other way round. */
interface Life {
  from: number;
  days: number;
}

const live: Life = { from: -1, days: 90 };
const expired: Life = { from: -100, days: 90 };
const early: Life = { from: 30, days: 90 };

describe("TLS with a hub", () => {
  let folder: Folder;
  let authority: Authority;
  let namesake: Authority;
  before(async () => {
    folder = tempFolder();
    const at = now - 1000 * dayMs;
    authority = await openAuthority({ folder: join(folder.path, "a"), trustDomain: "", now: () => at });
    namesake = await openAuthority({ folder: join(folder.path, "b"), trustDomain: "", now: () => at });
  });
  after(() => folder[Symbol.dispose]());

  async function serve(by: Authority, life: Life, names = ["localhost"]): Promise<Shop> {
    const at = now + life.from * dayMs;
    return shop(await issueServer(by, { names, at, validMs: life.days * dayMs }), by.rootPem);
  }

  /** What became of dialling it, by a node that trusts `authority`. */
  async function dial({ port }: Shop, trust: Partial<Trust> = {}): Promise<string> {
    const way = connect({ host: "127.0.0.1", port });
    const trusted = { rootsPem: authority.rootPem, host: "localhost", earliest: now - 20 * dayMs, ...trust };
    try {
      const socket = await secured(way, { ...trusted, protocols: ["h2"] });
      assert.equal(socket.alpnProtocol, "h2");
      socket.destroy();
      return "believed";
    } catch (thrown) {
      return thrown instanceof Error ? thrown.message : String(thrown);
    }
  }

  it("believes a hub at any time of the machine's, if there is one at which its certificate is good", async () => {
    for (const life of [live, expired, early]) {
      await using hub = await serve(authority, life, ["localhost", "127.0.0.1"]);
      for (const host of ["localhost", "127.0.0.1"]) assert.equal(await dial(hub, { host }), "believed");
    }
  });

  it("believes none whose certificate ended before the node's own was issued, whatever the clock says", async () => {
    const kept = /its certificate ended on .*, before this node's own was issued: somebody kept it$/;
    await using old = await serve(authority, expired);
    assert.match(await dial(old, { earliest: now - 5 * dayMs }), kept);
    // The clock of this machine was set back to when that certificate was good.
    await using shown = await serve(authority, live);
    assert.match(await dial(shown, { earliest: now + 100 * dayMs }), kept);
  });

  it("looks at all but the time when time stands against a hub", async () => {
    for (const life of [expired, early, live]) {
      await using other = await serve(namesake, life);
      assert.match(
        await dial(other),
        /comes from "CN=Orchestrator root.* no authority that this node trusts/,
      );
      await using elsewhere = await serve(authority, life, ["elsewhere"]);
      assert.match(await dial(elsewhere), /is for other names than localhost/);
    }
    const at = now - 100 * dayMs;
    const node = await newIdentity(authority, "n-a", undefined, { at, validMs: 90 * dayMs });
    await using posing = await shop(node, authority.rootPem);
    assert.match(await dial(posing), /is none for a TLS server$/);
  });

  it("says nothing before it has judged", async () => {
    await using other = await serve(namesake, expired);
    await dial(other);
    await other.closed;
    assert.equal(other.heardBytes, 0);
  });
});

interface Shop extends AsyncDisposable {
  port: number;
  heardBytes: number;
  /** Resolves when the first connection is over. */
  closed: Promise<unknown>;
}

/** A listener that shows a certificate, with its root. */
async function shop(
  { keyPem, certificatePem }: { keyPem: string; certificatePem: string },
  rootPem: string,
): Promise<Shop> {
  const options = { key: keyPem, cert: certificatePem + rootPem, ALPNProtocols: ["h2"] };
  const closed = Promise.withResolvers<void>();
  const server: Server = createServer(options, (socket: TLSSocket) => {
    socket.on("data", (bytes: Buffer) => {
      it.heardBytes += bytes.length;
    });
    socket.on("error", () => {});
    socket.once("close", () => closed.resolve());
  });
  server.on("tlsClientError", () => closed.resolve());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address);
  const it: Shop = {
    port: address.port,
    heardBytes: 0,
    closed: closed.promise,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
  return it;
}
