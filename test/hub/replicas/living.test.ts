import assert from "node:assert/strict";
import { test } from "node:test";
import { Living } from "../../../src/hub/replicas/living.ts";

test("a replica is dead when it stood still for five looks, and alive again when it beats", () => {
  const living = new Living();
  const rows = (beats: number) => [{ id: "r-1", beats }];
  living.meet(rows(7));
  assert.equal(living.has("r-1"), true);
  for (let at = 0; at < 4; at++) assert.deepEqual(living.look(rows(7)), { back: [], gone: [], dead: [] });
  assert.deepEqual(living.look(rows(7)), { back: [], gone: ["r-1"], dead: rows(7) });
  assert.deepEqual(
    living.look(rows(7)),
    { back: [], gone: [], dead: rows(7) },
    "it is buried by who sees it, until it is",
  );
  assert.deepEqual(living.look(rows(8)), { back: ["r-1"], gone: [], dead: [] });
  assert.equal(living.has("r-1"), true);
  assert.deepEqual(living.look([]), { back: [], gone: ["r-1"], dead: [] }, "it left");
  assert.equal(living.knows("r-1"), false);
});
