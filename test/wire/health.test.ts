import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { HealthBoard } from "../../src/wire/health.ts";

describe("health", () => {
  it("says of each service, and of the whole, whether it serves", () => {
    const board = new HealthBoard(["a"]);
    board.set("a", false);
    assert.equal(board.check("").status, Status.SERVING);
    assert.equal(board.check("a").status, Status.NOT_SERVING);
    assert.throws(() => board.check("b"), { kind: "not_found" });
    assert.deepEqual(Object.keys(board.list().statuses), ["", "a"]);
  });

  it("a watcher is told the state now and each other state, and a service may come later", async () => {
    const board = new HealthBoard([]);
    const stop = new AbortController();
    const watch = board.watch("late", stop.signal);
    const next = async () => (await watch.next()).value?.status;
    assert.equal(await next(), Status.SERVICE_UNKNOWN);
    const serving = next();
    board.set("other", true);
    board.set("late", true);
    assert.equal(await serving, Status.SERVING);
    const ended = watch.next();
    board.set("late", true);
    stop.abort();
    assert.equal((await ended).done, true);
  });
});
