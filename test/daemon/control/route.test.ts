import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { failure } from "../../../src/base/failure.ts";
import { brokenOnTheWay, saidByHub } from "../../../src/daemon/control/lost.ts";
import type { Attempt } from "../../../src/daemon/control/plan.ts";
import {
  doubtMs,
  firstRoute,
  nextRoute,
  type Reached,
  reachedBy,
} from "../../../src/daemon/control/route.ts";

const lost: Attempt = { end: { how: "lost", why: failure("unavailable", "") }, upMs: 0 };
const good: Attempt = { ...lost, upMs: 60_000 };
const renewed: Attempt = { end: { how: "renewed" }, upMs: 5 };

/** The routes of attempts that go as told, one a second, at three addresses: address and transport. */
function routes(...attempts: { reached: Reached; attempt?: Attempt; afterMs?: number }[]): string[] {
  let [route, now] = [firstRoute, 0];
  return attempts.map(({ reached, attempt = lost, afterMs = 1_000 }) => {
    now += afterMs;
    route = nextRoute(route, { ...attempt, reached }, { count: 3, now });
    return `${route.index} ${route.transport}`;
  });
}

const nowhere = { reached: "nowhere" } as const;
const silence = { reached: "silence" } as const;
const hub = { reached: "hub" } as const;

describe("the way of the next attempt", () => {
  it("leads to the next address, and to the first again after a line that was good", () => {
    assert.deepEqual(routes(nowhere, nowhere, nowhere, nowhere, { ...hub, attempt: good }), [
      ...["1 grpc", "2 grpc", "0 grpc", "1 grpc"],
      "0 grpc",
    ]);
    assert.deepEqual(routes({ ...hub, attempt: { ...lost, upMs: 10 } }), ["1 grpc"]);
  });

  it("is the same for a node that comes back with its new certificate", () => {
    assert.deepEqual(routes(nowhere, { ...hub, attempt: renewed }), ["1 grpc", "1 grpc"]);
  });

  it("is a WebSocket where HTTP/2 is silent, for as long as that works", () => {
    const worked = { ...hub, attempt: good };
    assert.deepEqual(routes(silence, worked, nowhere, nowhere, worked), [
      ...["0 websocket", "0 websocket", "1 websocket", "2 websocket"],
      "0 websocket",
    ]);
  });

  it("tries HTTP/2 again after an hour, and a WebSocket at once when that is still silent", () => {
    const late = { ...hub, attempt: good, afterMs: doubtMs };
    assert.deepEqual(routes(silence, late, silence, late, { ...hub, attempt: good }), [
      ...["0 websocket", "0 grpc", "0 websocket", "0 grpc"],
      "0 grpc",
    ]);
  });

  it("goes on with HTTP/2 at the next address where a WebSocket is silent, too", () => {
    assert.deepEqual(routes(silence, silence, silence), ["0 websocket", "1 grpc", "1 websocket"]);
  });

  it("depends on how far an attempt came", () => {
    const why = (word?: string) =>
      ({ how: "lost", why: failure("unavailable", "", word ? { word } : {}) }) as const;
    const before = { isConnected: false, isUp: false };
    const after = { isConnected: true, isUp: false };
    assert.equal(reachedBy(why(), before), "nowhere");
    assert.equal(reachedBy(why(brokenOnTheWay), before), "silence");
    assert.equal(reachedBy(why(), after), "silence");
    assert.equal(reachedBy(why(saidByHub), after), "hub");
    assert.equal(reachedBy(why(), { isConnected: true, isUp: true }), "hub");
    assert.equal(reachedBy({ how: "renewed" }, after), "hub");
  });
});
