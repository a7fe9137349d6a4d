/** What time does to locks, with a clock that the test sets. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Clock } from "../../../src/base/clock.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sql } from "../../../src/base/sql.ts";
import { Journal, schema as journalSchema } from "../../../src/daemon/journal/index.ts";
import { Locks, schema } from "../../../src/daemon/locks/index.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { until } from "../../journeys/until.ts";

/** Wall time as the test says; what sleeps is woken when it is time by the other clock, which only goes on. */
function handClock(at: string): Clock & { set(to: string): void; pass(ms: number): void } {
  const sleepers = new Set<{ due: number; wake: () => void }>();
  const clock = { wallMs: Date.parse(at), elapsedMs: 0 };
  return {
    now: () => clock.wallMs,
    elapsed: () => clock.elapsedMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { due: clock.elapsedMs + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        });
      }),
    /** The wall's clock is set, and no time passes. */
    set: (to: string) => {
      clock.wallMs = Date.parse(to);
    },
    pass: (ms: number) => {
      clock.wallMs += ms;
      clock.elapsedMs += ms;
      for (const sleeper of sleepers) {
        if (sleeper.due > clock.elapsedMs) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
  };
}

const spec = create(RuntimeSpecSchema, {
  name: "plc1",
  maintenance: [{ cron: "0 2 * * *", durationMs: 3_600_000n, timeZone: "Europe/Berlin" }],
});

test("whoever listens is told when a window opens and closes, and when somebody has set the clock", async () => {
  using folder = tempFolder();
  const clock = handClock("2026-11-21T00:59:30Z");
  using sql = Sql.open(join(folder.path, "daemon.db"), [journalSchema, schema], clock.now);
  const journal = Journal.open(sql, { now: clock.now });
  const log = openLog({ program: "test", level: "silent", format: "pretty" });
  const told: string[] = [];
  using locks = new Locks({
    ...{ sql, journal, clock, log, folder: join(folder.path, "locks"), containerOf: () => "" },
    onChange: (runtime) => told.push(`${runtime} ${isLocked() ? "locked" : "free"}`),
  });
  const isLocked = () => locks.of(spec, undefined).length > 0;
  const end = new AbortController();
  const running = locks.run(end.signal, () => true).catch(() => {});
  const newest = (what: string) =>
    until(what, () => {
      if (told.at(-1) === what) return true;
      clock.pass(250); // The pause between two times that changes are told.
      return false;
    });

  assert.equal(isLocked(), true);
  await newest("plc1 locked");
  assert.equal(clock.now() < Date.parse("2026-11-21T01:00:00Z"), true);
  clock.pass(40_000);
  await newest("plc1 free");
  clock.pass(3_600_000);
  await newest("plc1 locked");
  clock.set("2026-11-22T01:30:00Z");
  clock.pass(61_000);
  await newest("plc1 free");
  clock.set("1970-01-01T00:00:10Z");
  clock.pass(61_000);
  await newest("plc1 locked");
  assert.match(
    locks.of(spec, undefined)[0]?.reason ?? "",
    /^the clock of this machine is wrong \(it says 1970/,
  );
  locks.lock({ runtime: "plc1", actor: "operator/alice", reason: "", forMs: 30_000, commandId: "c" });
  clock.set("2026-11-22T01:30:00Z");
  clock.pass(61_000);
  await newest("plc1 free");
  assert.equal(journal.range().last, 2, "locked, and run out when the clock was set");
  end.abort();
  await running;
});
