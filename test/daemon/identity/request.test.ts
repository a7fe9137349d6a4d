import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
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
    const told = await openssl(
      "req",
      "-inform",
      "DER",
      "-in",
      file,
      "-verify",
      "-noout",
      "-subject",
      "-utf8",
    );
    assert.match(told, /verify OK/);
    assert.ok(told.includes(`CN=${hostName || "node"}`), told);
    assert.equal((await requestedKey(csrDer)).sha256.length, 32);
  }
});
