import assert from "node:assert/strict";
import { test } from "node:test";
import { openLan } from "../../fixtures/lan.ts";
import { shortLeases } from "./short-leases.ts";
import { station } from "./station.ts";

/** In a process of its own: while others make their networks, one stands still, and hears late that a lease was renewed. */
test("a lease that is shorter than the test is kept, and lost when its time is over without a server", async () => {
  await using lan = await openLan();
  using plc = station(lan);
  await using server = await shortLeases(lan, 6); // Half of it is how late a loaded machine may be.
  await using _client = plc.lease();
  const { lease } = await plc.next("bound");
  await plc.next("renewed");
  await plc.next("renewed");
  assert.ok(!plc.kinds().includes("lost"));
  await server[Symbol.asyncDispose]();
  const lost = await plc.next("lost");
  assert.equal(lost.before.address, lease.address);
});
