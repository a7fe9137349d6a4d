import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import { failure } from "../../../src/base/failure.ts";
import { openLog } from "../../../src/base/log.ts";
import { Sender, type SenderOptions } from "../../../src/hub/line/sender.ts";

const log = openLog({ program: "hub", level: "silent", format: "json" });

test("what a node acknowledged while the store was away is written when it is back", async () => {
  let isAway = true;
  const kept: number[] = [];
  const delivery = { sequence: 1, command: create(CommandSchema, { id: "c-1" }), queuedAt: 0 };
  const deliveries: SenderOptions["deliveries"] = {
    attend: () => () => {},
    calledOff: async () => [],
    next: async (_, after) => (after < 1 ? [delivery] : []),
    acknowledged: async (_, through) => {
      if (isAway) throw failure("unavailable", "the store is away");
      kept.push(through);
    },
  };
  const sender = new Sender({ nodeId: "n-1", deliveries, log, lastCommand: 0, wake: () => {} });
  assert.deepEqual(await sender.next(), { deliver: delivery });
  sender.acknowledged(1);
  await new Promise(setImmediate);
  sender.retry();
  await new Promise(setImmediate);
  isAway = false;
  sender.retry();
  sender.retry();
  assert.deepEqual(kept, [1], "once");
});
