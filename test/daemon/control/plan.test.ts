import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DrainSchema, RejectSchema } from "../../../gen/edge/v1/control_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import {
  type End,
  failuresAfter,
  pauseMs,
  renewalAt,
  retryRenewalMs,
} from "../../../src/daemon/control/plan.ts";

const lost: End = { how: "lost", why: failure("unavailable", "gone") };
const highest = () => 0.999_999;

describe("the pause before the next attempt", () => {
  it("doubles from half a second to a minute, jittered down to nothing", () => {
    const bounds = [1, 2, 3, 8, 9, 1000].map((failures) => Math.ceil(pauseMs(lost, failures, highest) / 500));
    assert.deepEqual(bounds, [1, 2, 4, 120, 120, 120]);
    assert.equal(
      pauseMs(lost, 1000, () => 0),
      0,
    );
  });

  it("is not shorter than the hub asks for", () => {
    const busy: End = {
      how: "rejected",
      reject: create(RejectSchema, { retryable: true, retryAfterMs: 7_000 }),
    };
    assert.equal(
      pauseMs(busy, 1, () => 0),
      7_000,
    );
  });

  it("is long when only a person can help", () => {
    const removed: End = { how: "rejected", reject: create(RejectSchema, { retryable: false }) };
    assert.equal(
      pauseMs(removed, 1, () => 0),
      60_000,
    );
    assert.ok(pauseMs(removed, 1, highest) <= 300_000);
  });

  it("is a random part of the spread after a drain", () => {
    const drained: End = { how: "drained", drain: create(DrainSchema, { spreadMs: 10_000 }) };
    assert.equal(
      pauseMs(drained, 1, () => 0.5),
      5_000,
    );
  });

  it("is an hour at most, whatever the hub says", () => {
    const ends: End[] = [
      { how: "drained", drain: create(DrainSchema, { spreadMs: 2 ** 32 - 1 }) },
      { how: "rejected", reject: create(RejectSchema, { retryable: true, retryAfterMs: 2 ** 32 - 1 }) },
      { how: "rejected", reject: create(RejectSchema, { retryable: false, retryAfterMs: 2 ** 32 - 1 }) },
    ];
    for (const end of ends) assert.ok(pauseMs(end, 1, highest) <= 3_600_000 + 500);
  });

  it("counts from the beginning again only after a line that was stable", () => {
    assert.equal(failuresAfter(5, { end: lost, upMs: 59_000 }), 6);
    assert.equal(failuresAfter(5, { end: lost, upMs: 61_000 }), 1);
  });
});

describe("the renewal of a certificate", () => {
  it("is due at two thirds of its life, a little earlier or later", () => {
    assert.equal(
      renewalAt(1_000, 31_000, () => 0.5),
      21_000,
    );
    assert.equal(
      renewalAt(1_000, 31_000, () => 0),
      20_000,
    );
    assert.equal(Math.round(renewalAt(1_000, 31_000, () => 1)), 22_000);
  });

  it("is tried again sooner the less time is left, and not more than once in a second", () => {
    const day = 24 * 3_600_000;
    assert.equal(
      retryRenewalMs(10 * day, () => 0),
      day,
    );
    assert.equal(
      retryRenewalMs(10 * day, () => 0.5),
      1.5 * day,
    );
    assert.equal(
      retryRenewalMs(60_000, () => 0),
      6_000,
    );
    assert.deepEqual([retryRenewalMs(1, () => 0), retryRenewalMs(-day, () => 0)], [1_000, 1_000]);
  });

  it("brings the node back at once, and says nothing of the line's health", () => {
    const renewed = { how: "renewed" } as const;
    assert.equal(
      pauseMs(renewed, 7, () => 0.9),
      0,
    );
    assert.equal(failuresAfter(0, { end: renewed, upMs: 0 }), 0);
  });
});
