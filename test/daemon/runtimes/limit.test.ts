import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Sql } from "../../../src/base/sql.ts";
import { schema } from "../../../src/daemon/wishes/index.ts";
import { Store } from "../../../src/daemon/wishes/store.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { ask, live, spec } from "./life.ts";

test("a node takes no more runtimes than it can tell of in one frame", async () => {
  using folder = tempFolder();
  {
    using sql = Sql.open(join(folder.path, "daemon.db"), [schema], Date.now);
    const store = new Store(sql);
    for (let at = 0; at < 256; at++) {
      const wish = spec("busybox", { name: `plc-${at}` });
      store.add({ name: wish.name, spec: wish, specHash: "", commandId: `c${at}`, createdAt: 0 });
    }
  }
  await using life = live(folder.path, join(folder.path, "no-engine.sock"));
  await assert.rejects(life.runtimes.create(spec("busybox", { name: "one-more" }), ask()), {
    kind: "exhausted",
    message: "this node has 256 runtimes, which is its limit: delete one first",
  });
});
