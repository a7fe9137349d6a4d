import assert from "node:assert/strict";
import { test } from "node:test";
import { planReload } from "../../../src/daemon/settings/plan.ts";

test("a change counts at once where a room takes it, and after a restart elsewhere", () => {
  const now = {
    "policy.file": "/a",
    "policy.devices": ["tty*"],
    "log.level": "info",
    "docker.host": "unix:///a",
  };
  const live = ["policy.*", "log.level"];
  assert.deepEqual(planReload(now, { ...now, "policy.devices": ["tty*"] }, live), {
    changed: [],
    needRestart: [],
  });
  const next = {
    "policy.file": undefined,
    "policy.devices": ["tty*", "i2c*"],
    "log.level": "info",
    "docker.host": "unix:///b",
  };
  assert.deepEqual(planReload(now, next, live), {
    changed: ["policy.file", "policy.devices"],
    needRestart: ["docker.host"],
  });
});
