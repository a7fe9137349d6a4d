/** Labels of nodes, by which rollouts select them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { requirementsOf } from "../../../src/wire/selector.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { openRooms } from "./rooms.ts";

const label = (text: string) => {
  const [key = "", value = ""] = text.split("=");
  return { key, value };
};
const set = (...texts: string[]) => ({ set: texts.map(label), remove: [] });

test("labels are set, changed and removed, select nodes, and survive the hub but not the node", async () => {
  using folder = tempFolder();
  {
    await using rooms = await openRooms({ path: folder.path, nodes: ["n-b", "n-a", "n-c"] });
    await rooms.fleet.label("n-a", set("site=graz", "line=2"));
    await rooms.fleet.label("n-b", set("site=graz", "line=1"));
    const told = await rooms.fleet.label("n-a", { set: [label("line=1")], remove: ["gone"] });
    assert.deepEqual(
      told.labels.map(({ key, value }) => `${key}=${value}`),
      ["line=1", "site=graz"],
    );
    // Of two changes that share a commit, neither is lost.
    await Promise.all([
      rooms.fleet.label("n-c", set("a=1")),
      rooms.fleet.label("n-c", set("b=2")),
      rooms.fleet.label("n-c", { set: [], remove: ["a"] }),
    ]);
  }
  await using rooms = await openRooms({ path: folder.path, nodes: [] });
  assert.deepEqual(rooms.fleet.matching(requirementsOf([label("site=graz"), label("line=1")])), [
    "n-a",
    "n-b",
  ]);
  assert.deepEqual(rooms.fleet.matching(requirementsOf([label("b=2")])), ["n-c"]);
  assert.deepEqual(rooms.fleet.matching(requirementsOf([label("a=1")])), []);
  await rooms.fleet.remove("n-a");
  await rooms.fleet.enrolled({ nodeId: "n-a", hostName: "h", serial: "02", expiresAt: 1, at: 1 });
  assert.deepEqual(rooms.fleet.get("n-a").labels, []);
});

test("a change of labels that cannot be is refused whole", async () => {
  await using rooms = await openRooms();
  const many = Array.from({ length: 64 }, (_, at) => `l${at}=x`);
  await rooms.fleet.label("n-a", set(...many));
  await assert.rejects(rooms.fleet.label("n-a", set("one=more")), {
    kind: "exhausted",
    message: /would have 65 labels; at most 64/,
  });
  await assert.rejects(rooms.fleet.label("n-a", { set: [label("l1=y")], remove: ["l1"] }), {
    kind: "invalid",
  });
  await assert.rejects(rooms.fleet.label("n-x", set("a=b")), { kind: "not_found" });
  assert.equal(rooms.fleet.get("n-a").labels.length, 64);
});
