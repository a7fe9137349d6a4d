/** What finished commands of a node may take on the hub's disk. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Command, CommandSchema, type Result, ResultSchema } from "../../../gen/edge/v1/command_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import { openRooms, type Rooms } from "../fleet/rooms.ts";

const mebibyte = 1 << 20;
const soon = () => AbortSignal.timeout(60_000);

const invoke = (id: string, bodyBytes = 0): Command =>
  create(CommandSchema, {
    id,
    request: {
      case: "invokeRuntime",
      value: { runtime: "plc1", method: "POST", path: "/", body: new Uint8Array(bodyBytes) },
    },
  });
const answered = (commandId: string, bytes: number): Result =>
  create(ResultSchema, {
    commandId,
    tookMs: 7,
    outcome: { case: "invokeRuntime", value: { status: 200, body: new Uint8Array(bytes) } },
  });

async function carryOut(rooms: Rooms, command: Command, result: Result): Promise<void> {
  await rooms.commands.submit("n-a", command, { actor: "operator/t", expiresInMs: 60_000 });
  const { told } = await rooms.store.write((tx) => rooms.commands.deliveries.finished(tx, "n-a", result));
  told();
}

test("of the oldest large results only that they were done is kept, and failures are kept whole", async () => {
  await using rooms = await openRooms({ keptBytes: 4 * mebibyte });
  await carryOut(rooms, invoke("small"), answered("small", 100));
  const message = "x".repeat(200_000);
  const outcome = { case: "failure" as const, value: { kind: FailureKind.INTERNAL, message } };
  await carryOut(rooms, invoke("failed"), create(ResultSchema, { commandId: "failed", outcome }));
  for (let at = 0; at < 5; at++) await carryOut(rooms, invoke(`c${at}`), answered(`c${at}`, mebibyte - 1000));

  const told = await rooms.commands.list("n-a", { pendingOnly: false, limit: 0 });
  assert.deepEqual(
    told.map(({ command, result, resultDropped }) => [command?.id, result?.outcome.case, resultDropped]),
    [
      ["c4", "invokeRuntime", false],
      ["c3", "invokeRuntime", false],
      ["c2", "invokeRuntime", false],
      ["c1", undefined, true],
      ["c0", undefined, true],
      ["failed", "failure", false],
      ["small", "invokeRuntime", false],
    ],
  );
  const { result } = await rooms.commands.get("c0");
  assert.deepEqual([result?.commandId, result?.tookMs], ["c0", 7]);
  await assert.rejects(rooms.commands.result("c0", soon()), {
    kind: "unavailable",
    message: /was done, and its answer is no longer kept/,
  });
  assert.equal((await rooms.commands.result("c4", soon())).outcome.case, "invokeRuntime");
});

test("where requests alone are too much, the oldest commands go as a whole", async () => {
  await using rooms = await openRooms({ keptBytes: 3 * mebibyte });
  for (let at = 0; at < 5; at++) await carryOut(rooms, invoke(`c${at}`, 900_000), answered(`c${at}`, 10));
  await assert.rejects(rooms.commands.get("c1"), { kind: "not_found", message: /its result is forgotten/ });
  assert.equal((await rooms.commands.get("c2")).result?.outcome.case, "invokeRuntime");
});
