/** Which version of the daemon starts, and when one on probation has proved itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kept } from "../../../src/daemon/updates/kept.ts";
import { lacking, launchOf } from "../../../src/daemon/updates/plan.ts";

const now = 1_000;
const current = { version: "0.2.0", sha256: "a".repeat(64), installedVersion: "0.1.0", starts: 0 };
const trial = {
  ...{ version: "0.3.0", sha256: "b".repeat(64), fromVersion: "0.2.0", installedVersion: "0.1.0" },
  ...{ commandId: "update-1", probationMs: 1000, needsHub: true, ran: ["line1", "line2"] },
};

test("what is kept starts in place of what is installed, and its start is counted", () => {
  const { runs, kept } = launchOf({ current }, "0.1.0", now);
  assert.equal(runs, "current");
  assert.deepEqual(kept, { current: { ...current, starts: 1 } });
});

test("what is installed starts where nothing is kept, where it is another one by now, and where the kept one never stays up", () => {
  assert.deepEqual(launchOf({}, "0.1.0", now), { runs: "installed", kept: {} });
  const cases: [kept: Kept, installed: string, why: RegExp][] = [
    [{ current }, "0.4.0", /version 0\.4\.0 was installed in its place/],
    [{ current: { ...current, starts: 5 } }, "0.1.0", /started 5 times and never stayed up/],
  ];
  for (const [before, installed, why] of cases) {
    const { runs, kept } = launchOf(before, installed, now);
    assert.equal(runs, "installed");
    assert.equal(kept.current, undefined);
    assert.match(kept.last?.reason ?? "", why);
    assert.equal(kept.last?.isTold, false);
  }
});

test("a trial that was not over when everything ended is withdrawn, and the one before it starts", () => {
  const { runs, kept } = launchOf({ current, trial }, "0.1.0", now);
  assert.equal(runs, "current");
  assert.equal(kept.trial, undefined);
  assert.deepEqual(
    [kept.last?.version, kept.last?.fromVersion, kept.last?.commandId],
    ["0.3.0", "0.2.0", "update-1"],
  );
});

test("a version has proved itself when the hub let it in and it sees all that ran", () => {
  const running = ["line1", "line2", "another"];
  assert.equal(lacking(trial, { hubLetIn: true, running }), "");
  assert.equal(lacking({ ...trial, needsHub: false }, { hubLetIn: false, running }), "");
  assert.equal(
    lacking(trial, { hubLetIn: false, running: ["line1"] }),
    "the hub did not let it in; it did not see running: line2",
  );
});
