import assert from "node:assert/strict";
import { test } from "node:test";
import { RejectCode } from "../../../gen/edge/v1/control_pb.ts";
import type { FakeNode } from "../../fakes/node.ts";
import { listRuntimes, startHub, startPlc } from "./hub.ts";

const { signal } = new AbortController();

function answer(node: FakeNode, commandId: string): void {
  const outcome = { case: "listRuntimes" as const, value: {} };
  node.send({ case: "report", value: { entry: { case: "result", value: { commandId, outcome } } } });
}

test("a stream that takes over begins before the former one ends, and nothing that was asked is lost", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  using former = await hub.connect(identity);
  const asked = hub.line.read("n-a", listRuntimes("r1"), signal);
  assert.equal((await former.next("command")).command?.id, "r1");
  const away: boolean[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const { node } of hub.fleet.watch(stop.signal)) away.push(!node?.connected);
  })().catch(() => {});

  using next = await hub.connect(identity, { sessionEpoch: 2n, takesOver: true });
  await hub.commands.submit("n-a", startPlc("c1"), { actor: "test", expiresInMs: 60_000 });
  assert.equal((await next.next("command")).command?.id, "c1", "commands go to the newest");
  assert.equal((await former.next("reject")).code, RejectCode.SUPERSEDED);
  answer(former, "r1");
  assert.equal((await asked).commandId, "r1");
  // What was on its way to the former stream is taken on the newest alone.
  former.send({ case: "report", value: { sequence: 1n, entry: { case: "event", value: {} } } });
  next.send({ case: "report", value: { sequence: 1n, entry: { case: "event", value: {} } } });
  await next.next("reportsAck");
  assert.equal(former.count("reportsAck"), 0);
  await former.close();
  const again = hub.line.read("n-a", listRuntimes("r2"), signal);
  assert.equal((await next.next("command")).command?.id, "r2");
  answer(next, "r2");
  await again;
  assert.equal(hub.fleet.isConnected("n-a"), true);
  stop.abort();
  await watching;
  assert.ok(away.length > 0 && !away.includes(true), "it was never away");
});

test("a stream that does not take over ends the former one at once", async () => {
  await using hub = await startHub();
  const identity = await hub.enrol("n-a");
  using former = await hub.connect(identity);
  const lost = assert.rejects(hub.line.read("n-a", listRuntimes("r1"), signal), { kind: "unavailable" });
  await former.next("command");
  using _next = await hub.connect(identity, { sessionEpoch: 2n });
  await lost;
  assert.equal((await former.next("reject")).code, RejectCode.SUPERSEDED);
  await former.ended;
});
