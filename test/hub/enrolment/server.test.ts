import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import {
  type Authority,
  keepAuthority,
  openAuthority,
  ServerCertificate,
  schema,
} from "../../../src/hub/enrolment/index.ts";
import { SqliteStore } from "../../../src/hub/store/index.ts";
import { folder } from "./pki.ts";

const log = openLog({ program: "hub", level: "silent", format: "json" });
const dayMs = 24 * 3_600_000;

function newAuthority(at: string, name = "ca", trustDomain = ""): Promise<Authority> {
  return openAuthority({ folder: join(at, name), trustDomain, now: Date.now });
}

test("the hub's certificate is kept while it fits, and made anew when it does not", async (t) => {
  const at = folder(t);
  const authority = await newAuthority(at);
  const open = (names: string[], of = authority) =>
    ServerCertificate.open({ authority: of, folder: join(at, "tls"), names, clock: systemClock, log });

  const first = (await open(["hub.example", "10.0.0.1"])).current;
  assert.equal((await open(["hub.example"])).current.cert, first.cert);
  assert.ok(first.cert.endsWith(authority.rootPem), "a node compares the root at the end of the chain");
  const second = (await open(["hub.example", "other.example"])).current;
  assert.notEqual(second.cert, first.cert);
  assert.ok(new X509Certificate(second.cert).checkHost("other.example"));
  const third = (await open(["hub.example"], await newAuthority(at, "ca2"))).current;
  assert.notEqual(third.cert, second.cert);
  await writeFile(join(at, "tls/server.key"), crypto.getRandomValues(new Uint8Array(500)));
  assert.notEqual((await open(["hub.example"])).current.cert, third.cert);
});

test("a hub that runs for months makes its certificate anew in time, and tells its listeners", async (t) => {
  const at = folder(t);
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs };
  const authority = await newAuthority(at);
  const certificate = await ServerCertificate.open({
    authority,
    folder: join(at, "tls"),
    names: ["a"],
    clock,
    log,
  });
  const first = certificate.current;
  const told: string[] = [];
  const forget = certificate.onChange(({ cert }) => told.push(cert));

  aheadMs = 59 * dayMs;
  assert.equal(await certificate.renewIfDue(), false);
  aheadMs = 61 * dayMs;
  assert.equal(await certificate.renewIfDue(), true);
  assert.equal(certificate.current.expiresAt - first.expiresAt > 60 * dayMs, true);
  forget();
  aheadMs = 130 * dayMs;
  assert.equal(await certificate.renewIfDue(), true);
  assert.equal(told.length, 1);
});

test("a certificate that the disk does not take is made anew at the next look, and the hub goes on meanwhile", async (t) => {
  const at = folder(t);
  const [tls, away] = [join(at, "tls"), join(at, "away")];
  const stop = new AbortController();
  let aheadMs = 0;
  const waits = [
    async () => {
      await rm(tls);
      await rename(away, tls);
    },
    async () => stop.abort(),
  ];
  const sleep = async () => await waits.shift()?.();
  const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs, sleep };
  const authority = await newAuthority(at);
  const certificate = await ServerCertificate.open({ authority, folder: tls, names: ["a"], clock, log });
  const told: string[] = [];
  certificate.onChange(({ cert }) => told.push(cert));
  aheadMs = 61 * dayMs;
  await rename(tls, away);
  await writeFile(tls, "no folder");
  await certificate.run(stop.signal);
  assert.deepEqual(told, [certificate.current.cert]);
});

test("a fleet keeps the authority that it enrolled with", async (t) => {
  const at = folder(t);
  await using store = SqliteStore.open(join(at, "hub.db"), [schema], Date.now);
  const authority = await newAuthority(at);
  await keepAuthority(store, authority);
  await keepAuthority(store, authority);

  await assert.rejects(keepAuthority(store, await newAuthority(at, "other")), {
    kind: "conflict",
    message: /is another than the one that this fleet enrolled with.*put the old one back/,
  });
  await assert.rejects(keepAuthority(store, { ...authority, trustDomain: "new.example" }), {
    kind: "conflict",
    message: /hub\.trust_domain is new\.example, but this fleet enrolled as orchestrator\.internal/,
  });
});
