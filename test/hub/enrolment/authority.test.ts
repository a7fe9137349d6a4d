import assert from "node:assert/strict";
import { createPublicKey, X509Certificate } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type AuthorityOptions, openAuthority } from "../../../src/hub/enrolment/authority.ts";
import { issueNode, issueServer } from "../../../src/hub/enrolment/issue.ts";
import { requestedKey } from "../../../src/hub/enrolment/request.ts";
import { nodeIdOf } from "../../../src/wire/tls.ts";
import { folder, openssl, requestFile } from "./pki.ts";

const dayMs = 24 * 3_600_000;

function open(at: string, more: Partial<AuthorityOptions> = {}) {
  return openAuthority({ folder: join(at, "ca"), trustDomain: "", now: Date.now, ...more });
}

test("an authority is made once, kept privately, and is the same at the next start", async (t) => {
  const at = folder(t);

  const first = await open(at, { trustDomain: "plant.example" });
  const second = await open(at);

  assert.equal(second.rootPem, first.rootPem);
  assert.equal(second.trustDomain, "plant.example");
  assert.equal((await stat(join(at, "ca/ca.key"))).mode & 0o777, 0o600);
  const root = new X509Certificate(first.rootPem);
  assert.equal(root.ca, true);
  assert.equal(root.subjectAltName, "URI:spiffe://plant.example");
  assert.ok(root.validToDate.getTime() - Date.now() > 19.9 * 365 * dayMs);
});

test("another trust domain than the authority's is refused, and so is a name that cannot be one", async (t) => {
  const at = folder(t);
  await open(at, { trustDomain: "plant.example" });

  await assert.rejects(open(at, { trustDomain: "other.example" }), {
    kind: "conflict",
    message: /hub\.trust_domain is other\.example, but the authority in .* is that of plant\.example/,
  });
  await assert.rejects(open(at, { trustDomain: "Plant Example" }), { kind: "invalid" });
});

test("an authority that should be there and is not is never made anew", async (t) => {
  const at = folder(t);

  await assert.rejects(open(at, { mustExist: "hub.db is that of a hub that has a fleet" }), {
    kind: "conflict",
    message: /hub\.db is that of a hub .* put ca\.pem and ca\.key back from a backup/,
  });
  await assert.rejects(stat(join(at, "ca")));
});

test("openssl accepts what is issued, strictly, and only for its purpose", async (t) => {
  const at = folder(t);
  const authority = await open(at);
  await writeFile(join(at, "root.pem"), authority.rootPem);
  const { publicKey } = await requestedKey(await readFile(await requestFile(at)));

  const node = await issueNode(authority, { id: "n-abc", publicKey, at: Date.now(), validMs: 30 * dayMs });
  await writeFile(join(at, "node.pem"), node.certificatePem);
  const server = await issueServer(authority, {
    names: ["hub.example", "10.1.2.3", "::1", "localhost"],
    at: Date.now(),
    validMs: 90 * dayMs,
  });
  await writeFile(join(at, "server.pem"), server.certificatePem);

  const verify = (...args: string[]) =>
    openssl("verify", "-x509_strict", "-CAfile", join(at, "root.pem"), ...args);
  assert.match(await verify("-purpose", "sslclient", join(at, "node.pem")), /OK/);
  assert.match(
    await verify("-purpose", "sslserver", "-verify_hostname", "hub.example", join(at, "server.pem")),
    /OK/,
  );
  assert.match(await verify("-purpose", "sslserver", "-verify_ip", "10.1.2.3", join(at, "server.pem")), /OK/);
  assert.match(await verify("-purpose", "sslserver", "-verify_ip", "::1", join(at, "server.pem")), /OK/);
  await assert.rejects(
    verify("-purpose", "sslserver", join(at, "node.pem")),
    /unsuitable certificate purpose/,
  );
  await assert.rejects(
    verify("-purpose", "sslclient", join(at, "server.pem")),
    /unsuitable certificate purpose/,
  );
});

test("of a signing request the public key is taken and nothing else", async (t) => {
  const at = folder(t);
  const authority = await open(at, { trustDomain: "plant.example" });
  const file = await requestFile(at, {
    subject: "/CN=admin/O=plant",
    extension: "subjectAltName=URI:spiffe://plant.example/node/n-other,DNS:hub.example",
  });

  const { publicKey } = await requestedKey(await readFile(file));
  const now = Date.now();
  const issued = await issueNode(authority, { id: "n-abc", publicKey, at: now, validMs: 30 * dayMs });

  const certificate = new X509Certificate(issued.certificatePem);
  assert.equal(certificate.subject, "CN=n-abc");
  assert.equal(certificate.subjectAltName, "URI:spiffe://plant.example/node/n-abc");
  assert.equal(nodeIdOf(certificate, "plant.example"), "n-abc");
  assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.2"]);
  const asked = await openssl("req", "-inform", "DER", "-in", file, "-noout", "-pubkey");
  assert.equal(certificate.publicKey.equals(createPublicKey(asked)), true);
  assert.equal(certificate.serialNumber, issued.serial);
  assert.ok(Math.abs(now - 5 * 60_000 - certificate.validFromDate.getTime()) < 2_000);
});

test("a signing request that is changed, of another curve, or none at all is refused with which it is", async (t) => {
  const at = folder(t);
  const good = await readFile(await requestFile(at));
  const changed = Buffer.from(good);
  const name = changed.indexOf("whatever");
  changed.write("Whatever", name);
  const cut = good.subarray(0, good.length - 20);
  const p384 = await readFile(
    await requestFile(at, { newKey: ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"] }),
  );
  const rsa = await readFile(await requestFile(at, { newKey: ["rsa:2048"] }));

  await assert.rejects(requestedKey(changed), /signature of the certificate signing request is wrong/);
  await assert.rejects(requestedKey(p384), /must be an EC key on the curve P-256/);
  await assert.rejects(requestedKey(rsa), /must be an EC key on the curve P-256/);
  await assert.rejects(requestedKey(cut), /is not a certificate signing request/);
  await assert.rejects(requestedKey(Buffer.from("hello")), {
    kind: "invalid",
    message: /^csr_der: is not a/,
  });
});

test("the operator's own authority is used: a root, or an intermediate with its chain", async (t) => {
  const at = folder(t);
  const files = await operatorAuthority(at);
  const { publicKey } = await requestedKey(await readFile(await requestFile(at)));

  const byRoot = await open(at, { given: { certificateFile: files.rootPem, keyFile: files.rootKey } });
  const byMiddle = await open(at, { given: { certificateFile: files.chainPem, keyFile: files.middleKey } });

  assert.deepEqual(byMiddle.rootSha256, byRoot.rootSha256);
  assert.equal(byRoot.intermediatesPem, "");
  await writeFile(join(at, "intermediates.pem"), byMiddle.intermediatesPem);
  for (const authority of [byRoot, byMiddle]) {
    const issued = await issueNode(authority, {
      id: "n-abc",
      publicKey,
      at: Date.now(),
      validMs: 30 * dayMs,
    });
    await writeFile(join(at, "node.pem"), issued.certificatePem);
    const said = await openssl(
      "verify",
      "-x509_strict",
      "-CAfile",
      files.rootPem,
      ...(authority === byMiddle ? ["-untrusted", join(at, "intermediates.pem")] : []),
      join(at, "node.pem"),
    );
    assert.match(said, /OK/);
    // It never outlives who signed it: the operator's are good for ten days.
    assert.ok(issued.expiresAt <= Date.now() + 10 * dayMs);
  }
});

test("an operator's authority that cannot work is refused with the reason", async (t) => {
  const at = folder(t);
  const files = await operatorAuthority(at);
  const given = (certificateFile: string, keyFile: string) =>
    open(at, { given: { certificateFile, keyFile } });
  const middleAlone = join(at, "middle-alone.pem");
  await writeFile(
    middleAlone,
    (await readFile(files.chainPem, "utf8")).split(/(?<=-----END CERTIFICATE-----\n)/)[0] ?? "",
  );
  const wrongOrder = join(at, "wrong-order.pem");
  await writeFile(
    wrongOrder,
    (await readFile(files.rootPem, "utf8")) + (await readFile(middleAlone, "utf8")),
  );
  const random = join(at, "random.pem");
  await writeFile(random, crypto.getRandomValues(new Uint8Array(4096)));
  const authority = await open(at);
  const server = await issueServer(authority, { names: ["localhost"], at: Date.now(), validMs: dayMs });
  const leaf = join(at, "leaf.pem");
  await writeFile(leaf, server.certificatePem);
  const later = Date.now() + 11 * dayMs;

  await assert.rejects(given(files.rootPem, files.middleKey), /does not belong to the first certificate/);
  await assert.rejects(given(middleAlone, files.middleKey), /is the last and is not a root: append/);
  await assert.rejects(given(wrongOrder, files.rootKey), /was not signed by the one after it/);
  await assert.rejects(given(leaf, files.rootKey), /is not that of a certificate authority/);
  await assert.rejects(given(random, files.rootKey), /holds no certificate in PEM/);
  await assert.rejects(given(files.rootPem, random), /holds no private key in PEM/);
  await assert.rejects(given(join(at, "nowhere.pem"), files.rootKey), /cannot be read/);
  await assert.rejects(
    open(at, { given: { certificateFile: files.rootPem, keyFile: files.rootKey }, now: () => later }),
    { kind: "invalid", message: /expired on/ },
  );
  await assert.rejects(
    open(at, { given: { certificateFile: files.rootPem, keyFile: files.rootKey }, now: () => 0 }),
    /is not valid before .*: check this machine's clock/,
  );
});

/** A root (P-384) and an intermediate (RSA), both good for ten days, as an operator's own tools make them. */
async function operatorAuthority(at: string) {
  const files = {
    rootKey: join(at, "op-root.key"),
    rootPem: join(at, "op-root.pem"),
    middleKey: join(at, "op-middle.key"),
    chainPem: join(at, "op-chain.pem"),
  };
  const extensions = [
    "-addext",
    "basicConstraints=critical,CA:TRUE",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign",
  ];
  await openssl(
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-days", "10"],
    ...["-subj", "/O=Plant AG/CN=Plant Root", "-keyout", files.rootKey, "-out", files.rootPem, ...extensions],
  );
  const middle = join(at, "op-middle.pem");
  await openssl(
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "10", "-subj", "/O=Plant AG/CN=Plant Edge"],
    ...[
      "-CA",
      files.rootPem,
      "-CAkey",
      files.rootKey,
      "-keyout",
      files.middleKey,
      "-out",
      middle,
      ...extensions,
    ],
  );
  await writeFile(files.chainPem, (await readFile(middle, "utf8")) + (await readFile(files.rootPem, "utf8")));
  return files;
}
