import assert from "node:assert/strict";
import { test } from "node:test";
import { imageAskOf } from "../../../src/daemon/policy/image-ask.ts";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

test("an image reference is taken apart as the engine does it", () => {
  const cases: Record<string, [registry: string, repository: string, tag: string, digest: string]> = {
    nginx: ["docker.io", "library/nginx", "latest", ""],
    "nginx:1.27": ["docker.io", "library/nginx", "1.27", ""],
    "acme/plc": ["docker.io", "acme/plc", "latest", ""],
    "docker.io/nginx": ["docker.io", "library/nginx", "latest", ""],
    "index.docker.io/acme/plc:2": ["docker.io", "acme/plc", "2", ""],
    "registry:5000/img": ["registry:5000", "img", "latest", ""],
    "registry:5000/img:7": ["registry:5000", "img", "7", ""],
    "localhost/img": ["localhost", "img", "latest", ""],
    "localhost:5000/a/b:1": ["localhost:5000", "a/b", "1", ""],
    "ghcr.io/owner/name:tag": ["ghcr.io", "owner/name", "tag", ""],
    [`ghcr.io/owner/name@${digest}`]: ["ghcr.io", "owner/name", "", digest],
    [`ghcr.io/owner/name:1@${digest}`]: ["ghcr.io", "owner/name", "1", digest],
    [`registry:5000/img@${digest}`]: ["registry:5000", "img", "", digest],
  };
  for (const [reference, [registry, repository, tag, pinned]] of Object.entries(cases)) {
    const { $typeName: _, ...ask } = imageAskOf(reference);
    assert.deepEqual(ask, { reference, registry, repository, tag, digest: pinned });
  }
});
