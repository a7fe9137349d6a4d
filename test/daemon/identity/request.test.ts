import "reflect-metadata"; // @peculiar/x509 needs it before itself.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import { newKeyPem, signingRequest } from "../../../src/daemon/identity/request.ts";
import { requestedKey } from "../../../src/hub/enrolment/request.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { openssl } from "../../hub/enrolment/pki.ts";

test("a signing request is one that openssl and our hub take, whatever the machine's name", async () => {
  using folder = tempFolder();
  const file = join(folder.path, "request.der");
  for (const hostName of ["", "press-7", "Wärmetauscher", "x".repeat(64)]) {
    const csrDer = signingRequest(await newKeyPem(), hostName);
    writeFileSync(file, csrDer);
    assert.match(await openssl("req", "-inform", "DER", "-in", file, "-verify", "-noout"), /verify OK/);
    assert.equal(new Pkcs10CertificateRequest(csrDer).subject, `CN=${hostName || "node"}`);
    assert.equal((await requestedKey(csrDer)).sha256.length, 32);
  }
});
