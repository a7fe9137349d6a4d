import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { GetTaskRequestSchema } from "../../../gen/edge/v1/tasks_pb.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { busyboxImage } from "../../fixtures/images.ts";
import { until } from "../../journeys/until.ts";
import { openRoom } from "../sandbox/room.ts";
import { ask, live, type Place } from "./life.ts";
import { tasksSuite } from "./tasks.suite.ts";

test("agents and tasks, on real cells", { timeout: 280_000 }, async (t) => {
  await using engine = await startEngine({ name: "tasks" });
  using folder = tempFolder();
  await using room = openRoom(folder.path, engine);
  const { sandboxes } = room;
  const place: Place = {
    cells: sandboxes,
    engine: room.engine,
    images: { pull: () => Promise.resolve(), used: () => {} },
    image: await busyboxImage(engine),
    cellIds: async () => (await sandboxes.list(AbortSignal.timeout(10_000))).map(({ id }) => id),
  };
  await tasksSuite(t, place);

  await t.test(
    "while the engine is away nothing is lost: what runs is seen through, what waits is started then",
    async () => {
      using state = tempFolder();
      await using life = live(state.path, place);
      await life.deploy("steady", "read -r x; sleep 2; echo $x");
      await life.deploy("warm", "read -r x; echo $x", { warm: 1 });
      await life.deploy("cold", "read -r x; echo $x");
      await until("one waits", () => life.agents.get("warm").warm === 1);
      const running = await life.submit("steady", { text: "one\n" });
      await until("it has its input", () => life.told(running).includes("RUNNING"));
      await engine.kill9();
      const claimed = await life.submit("warm", { text: "two\n" });
      const cold = await life.submit("cold", { text: "three\n" });
      await until("it is told why it waits", () => /engine/.test(reasonOf(cold)));
      await engine.start();
      for (const [id, text] of [
        [running, "one\n"],
        [claimed, "two\n"],
        [cold, "three\n"],
      ] as const) {
        await succeeds(id);
        assert.equal(outputOf(id), text);
      }

      // An engine that dies with an input that it took and did not hand on.
      await until("one waits again", () => life.agents.get("warm").warm === 1);
      await engine.sigstop();
      const lost = await life.submit("warm", { text: "four\n" });
      await until("it is handed over", () => life.state(lost) === "RUNNING");
      await engine.kill9();
      await engine.start();
      await succeeds(lost);
      assert.equal(outputOf(lost), "four\n");
      await life.agents.remove("warm", { cancelTasks: false }, ask());
      await until("no cell is left", async () => (await place.cellIds()).length === 0);

      // A call of an engine that dies may be open until its minute is over.
      function succeeds(id: string): Promise<true> {
        const look = () => {
          assert.equal(life.state(id), "SUCCEEDED", `${life.told(id).join(", ")}: ${reasonOf(id)}`);
          return true as const;
        };
        return until(`${id} has succeeded`, look, 150_000);
      }
      function reasonOf(id: string): string {
        return life.tasks.get(create(GetTaskRequestSchema, { id })).task.reason;
      }
      function outputOf(id: string): string {
        return Buffer.from(
          life.tasks.get(create(GetTaskRequestSchema, { id, withOutput: true })).output,
        ).toString();
      }
    },
  );
});
