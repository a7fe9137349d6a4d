import assert from "node:assert/strict";
import { test } from "node:test";
import { negotiate } from "../../../src/daemon/engine/api-version.ts";
import { EngineFailure, translated } from "../../../src/daemon/engine/engine-failures.ts";
import { parseHost } from "../../../src/daemon/engine/host.ts";

/** What engines said, as dockerode throws it; recorded from 20.10 and 28. */
const said: [status: number, message: string, kind: string, retry: string][] = [
  [500, "write /var/lib/docker/tmp/x: no space left on device", "exhausted", "later"],
  [
    500,
    "driver failed programming external connectivity: Bind for 127.0.0.1:80 failed: port is already allocated",
    "conflict",
    "never",
  ],
  [409, 'Conflict. The container name "/edge-1-a" is already in use by container "9f"', "conflict", "few"],
  [409, "network with name edge-1-a already exists", "conflict", "few"],
  [400, "network edge-1-a is ambiguous (2 matches found on name)", "conflict", "few"],
  [404, "manifest for x:typo not found: manifest unknown", "not_found", "never"],
  [
    404,
    "pull access denied for nosuch, repository does not exist or may require 'docker login'",
    "denied",
    "never",
  ],
  [500, 'Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host', "unavailable", "later"],
  [500, "toomanyrequests: You have reached your pull rate limit", "exhausted", "later"],
  [404, "no matching manifest for linux/arm64/v8 in the manifest list entries", "not_found", "never"],
  [
    400,
    'OCI runtime create failed: exec: "/bin/none": no such file or directory: unknown',
    "invalid",
    "never",
  ],
  [
    400,
    'OCI runtime create failed: runc create failed: error running hook #0: exit status 1: level=fatal msg="no such file or directory"',
    "unavailable",
    "few",
  ],
  [
    500,
    "could not find an available, non-overlapping IPv4 address pool among the defaults",
    "exhausted",
    "never",
  ],
  [400, "Requested CPUs are not available - requested 64, available: 0-1", "invalid", "never"],
  [500, "something that nobody has seen yet", "unavailable", "few"],
];

for (const [status, message, kind, retry] of said) {
  test(`what an engine says: ${message.slice(0, 60)}`, () => {
    const failed = translated(
      Object.assign(new Error(`(HTTP code ${status}) unexpected - ${message}`), {
        statusCode: status,
        json: { message },
      }),
      "pull plc:1",
      "unix:///s",
    );
    assert.ok(failed instanceof EngineFailure);
    assert.deepEqual([failed.kind, failed.retry, failed.status], [kind, retry, status]);
  });
}

test("a limit that the engine may not raise is told by its name", () => {
  const message = "OCI runtime start failed: error setting rlimit type 8: operation not permitted: unknown";
  const failed = translated(Object.assign(new Error(message), { statusCode: 400 }), "start", "unix:///s");
  assert.ok(failed instanceof EngineFailure);
  assert.equal(failed.rlimit, "memlock");
});

test("the API version is the engine's, or the newest that we know; another engine is refused in a sentence", () => {
  assert.equal(negotiate("1.41", "1.12", "20.10.24"), "1.41");
  assert.equal(negotiate("1.100", "1.44", "40.0"), "1.52");
  assert.throws(() => negotiate("1.40", "1.12", "19.03"), {
    kind: "unsupported",
    message: "the engine 19.03 speaks API 1.40; 1.41 (engine 20.10) is the oldest that will do: update it",
  });
  assert.throws(() => negotiate("1.60", "1.53", "50.0"), {
    kind: "unsupported",
    message: /update this program$/,
  });
});

test("docker.host is a socket or an address, and anything else is refused", () => {
  assert.deepEqual(parseHost("unix:///run/d.sock"), { host: "", socketPath: "/run/d.sock" });
  assert.deepEqual(parseHost("tcp://[::1]:2375"), { host: "::1", port: 2375, protocol: "http" });
  for (const bad of ["", "docker.sock", "tcp://host", "tcp://host:99999", "ssh://host"]) {
    assert.throws(() => parseHost(bad), { kind: "invalid", message: /^docker\.host: ".*" must be unix:/ });
  }
});
