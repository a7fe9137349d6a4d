import assert from "node:assert/strict";
import { test } from "node:test";
import { freeSubnet } from "../../../src/daemon/engine/make-network.ts";

test("an address range of our own choice is free, and there is one as long as any is", () => {
  assert.equal(
    freeSubnet([], () => 0),
    "198.18.0.0/28",
  );
  assert.equal(
    freeSubnet([], () => 0.999_999),
    "198.19.255.240/28",
  );
  const taken = ["172.17.0.0/16", "fd00::/64", "198.18.0.7/29", "198.18.0.16/28", "", "198.18.1.0/24"];
  assert.equal(
    freeSubnet(taken, () => 0),
    "198.18.0.32/28",
  );
  assert.equal(
    freeSubnet(["198.19.255.240/28"], () => 0.999_999),
    "198.18.0.0/28",
  );
  assert.equal(
    freeSubnet(["198.18.0.0/15"], () => 0.5),
    undefined,
  );
  assert.equal(
    freeSubnet(["198.18.0.0/16"], () => 0, 24),
    "198.19.0.0/24",
  );
});
