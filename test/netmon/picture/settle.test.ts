import assert from "node:assert/strict";
import { test } from "node:test";
import { allSettled, nextDueAt, settle } from "../../../src/netmon/picture/settle.ts";
import type { Interface, Seen } from "../../../src/netmon/picture/state.ts";
import { seen } from "./seen.ts";

const settleMs = 1000;
type Steps = readonly (readonly [at: number, look: Seen])[];

/** What is told after each look, in few words. */
function told(first: Seen, steps: Steps, waitMs = settleMs): string[] {
  let settled = allSettled(first);
  return steps.map(([at, look]) => {
    settled = settle(settled, look, { at, settleMs: waitMs });
    const words = settled.told.interfaces.map((one) => `${one.name} ${wordsOf(one)}`.trim());
    const dueAt = nextDueAt(settled, waitMs);
    return [...words, ...(dueAt === undefined ? [] : [`(${dueAt})`])].join(" ");
  });
}

function wordsOf({ carrier, index, addresses }: Interface): string {
  return [carrier ? "" : "down", index === 1 ? "" : `#${index}`, ...addresses].filter(Boolean).join(" ");
}

const up = seen({ name: "eth0" });
const down = seen({ name: "eth0", carrier: false });
const gone = seen();
const at = (...addresses: string[]) => seen({ name: "eth0", addresses });

test("a change is told when it has been the same for the settling time", () => {
  assert.deepEqual(
    told(up, [
      [100, at("a")],
      [600, at("a", "b")],
      [1599, at("a", "b")],
      [1600, at("a", "b")],
      [1700, at("a", "b")],
    ]),
    ["eth0 (1100)", "eth0 (1600)", "eth0 (1600)", "eth0 a b", "eth0 a b"],
  );
});

test("a loss is told at once: no carrier, gone, or another one with its name", () => {
  assert.deepEqual(told(up, [[1, down]]), ["eth0 down"]);
  assert.deepEqual(told(up, [[1, gone]]), [""]);
  assert.deepEqual(told(up, [[1, seen({ name: "eth0", index: 9 })]]), ["eth0 #9"]);
  // Also of one whose other change is still kept back.
  assert.deepEqual(
    told(up, [
      [0, at("a")],
      [1, seen({ name: "eth0", addresses: ["a"], carrier: false })],
    ]),
    ["eth0 (1000)", "eth0 down a"],
  );
});

test("a carrier that comes back, and an interface that comes, are told when they stay", () => {
  assert.deepEqual(
    told(down, [
      [0, up],
      [400, down],
      [500, up],
      [1499, up],
      [1500, up],
    ]),
    ["eth0 down (1000)", "eth0 down", "eth0 down (1500)", "eth0 down (1500)", "eth0"],
  );
  assert.deepEqual(
    told(gone, [
      [0, down],
      [10, up],
      [1010, up],
      [1020, gone],
    ]),
    ["(1000)", "(1010)", "eth0", ""],
  );
});

test("an interface that never comes to rest is told after five settling times, and keeps no other one waiting", () => {
  const steps = Array.from({ length: 11 }, (_, step) => {
    const addresses = [`${step}`];
    return [step * 500, seen({ name: "eth0", addresses }, { name: "eth1", addresses: ["x"] })] as const;
  });
  assert.deepEqual(told(seen({ name: "eth0" }, { name: "eth1" }), steps), [
    "eth0 eth1 (1000)",
    "eth0 eth1 (1000)",
    ...[2000, 2500, 3000, 3500, 4000, 4500, 5000, 5000].map((due) => `eth0 eth1 x (${due})`),
    "eth0 10 eth1 x",
  ]);
});

test("name servers are told at once; without a settling time everything is", () => {
  const dnsServers = ["192.0.2.53"];
  const settled = settle(allSettled(up), { ...at("a"), dnsServers }, { at: 0, settleMs });
  assert.deepEqual(settled.told, { ...up, dnsServers });
  assert.deepEqual(told(down, [[0, up]], 0), ["eth0"]);
});
