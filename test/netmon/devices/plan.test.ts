import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DeviceSchema, DevicePhase as Phase } from "../../../gen/edge/v1/devices_pb.ts";
import { rulesIn } from "../../../src/netmon/devices/group-v1.ts";
import {
  type DeviceInside,
  type DeviceSituation,
  type Made,
  planDevice,
} from "../../../src/netmon/devices/plan.ts";

const number = { kind: "c", major: 188, minor: 0 } as const;
const wish = create(DeviceSchema, { nodePath: "/dev/ttyUSB0", path: "/dev/ttyPLC" });
const there = { is: "there", realPath: "/dev/ttyUSB0", number, folders: [] } as const;
const made: Made = { life: "7:1", path: "/dev/ttyPLC", number, access: "rw", isRightOurs: true };
const nothing: DeviceInside = { life: "7:1", holds: { is: "nothing" }, rules: rulesIn("c 1:3 rwm") };
const given: DeviceInside = {
  ...{ life: "7:1", rules: rulesIn("c 188:0 rw") },
  holds: { is: "device", number: "c 188:0" },
};

/** What is taken, what is given, and in which phase it is then. */
function planned(situation: Partial<DeviceSituation>) {
  const base = { wish, found: there, made: undefined, inside: nothing, takenBy: undefined };
  const { take, give, standing } = planDevice({ ...base, ...situation });
  return { take, give, phase: standing.phase, reason: standing.reason };
}

test("a device that is there is given once, with its right, and then left alone", () => {
  assert.deepEqual(planned({}), { take: undefined, give: made, phase: Phase.PRESENT, reason: "" });
  const done = { take: undefined, give: undefined, phase: Phase.PRESENT, reason: "" };
  assert.deepEqual(planned({ made, inside: given }), done);
  // Whatever took the node or the right away: an engine that sets a container's limits anew resets its rights.
  assert.deepEqual(planned({ made, inside: { ...given, holds: { is: "nothing" } } }).give, made);
  assert.deepEqual(planned({ made, inside: { ...given, rules: [] } }).give, made);
  // A netmon that lost its disk takes up what is there; a right that was there before is not netmon's to take.
  assert.deepEqual(planned({ inside: given }).give, { ...made, isRightOurs: false });
});

test("what is not there, is another one, or is wished otherwise is taken away first", () => {
  const absent = planned({ found: { is: "absent", folders: [] }, made, inside: given });
  assert.deepEqual(absent, {
    ...{ take: made, give: undefined, phase: Phase.ABSENT, reason: "/dev/ttyUSB0 is not there" },
  });
  const other = { kind: "c", major: 188, minor: 3 } as const;
  const replaced = planned({ found: { ...there, number: other }, made, inside: given });
  assert.deepEqual([replaced.take, replaced.give?.number], [made, other]);
  const moved = planned({ wish: { ...wish, path: "/dev/ttyOther" }, made, inside: nothing });
  assert.deepEqual([moved.take, moved.give?.path], [made, "/dev/ttyOther"]);
  const narrower = planned({ wish: { ...wish, readOnly: true }, made, inside: given });
  assert.deepEqual([narrower.take, narrower.give], [made, { ...made, access: "r" }]);
});

test("what may not be given is refused, and what was given of it goes", () => {
  const refused = (situation: Partial<DeviceSituation>) => {
    const { take, give, phase, reason } = planned({ made, inside: given, ...situation });
    assert.deepEqual([take, give, phase], [made, undefined, Phase.REFUSED]);
    return reason;
  };
  assert.match(refused({ takenBy: "press" }), /used by runtime press/);
  assert.match(refused({ found: { is: "wrong", reason: "leads in a circle", folders: [] } }), /circle/);
  for (const [kind, major, minor, why] of [
    ["b", 8, 0, /a disk/],
    ["c", 1, 1, /memory/],
    ["c", 1, 4, /memory/],
    ["c", 1, 11, /log/],
    ["c", 21, 0, /disks/],
    ["c", 10, 237, /disks/],
    ["c", 137, 5, /pseudo-terminal/],
  ] as const) {
    assert.match(refused({ found: { ...there, number: { kind, major, minor } } }), why);
  }
  assert.match(refused({ found: { ...there, realPath: "/dev/nvme0" } }), /disks/);
  assert.match(
    refused({ inside: { ...given, holds: { is: "other", what: "a file" } } }),
    /a file of its own/,
  );
  assert.match(refused({ inside: { ...given, holds: { is: "barred", why: "no folder" } } }), /no folder/);
  const stopped = planned({ made, inside: undefined });
  assert.deepEqual([stopped.take, stopped.phase], [undefined, Phase.UNSPECIFIED]);
});
