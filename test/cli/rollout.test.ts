/** Labels and rollouts as a person sees them: a real hub, and nodes that answer as the test says. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { FailureKind } from "../../gen/edge/v1/failure_pb.ts";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { RolloutState, Rollouts } from "../../gen/edge/v1/rollouts_pb.ts";
import { PlannedAction } from "../../gen/edge/v1/wishes_pb.ts";
import { enrolFake } from "../fakes/enrolled.ts";
import type { FakeNode } from "../fakes/node.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { startHub, type TestHub } from "../fixtures/hub.ts";
import { until } from "../journeys/until.ts";
import { ask, type Surroundings } from "./ask.ts";

const done = {
  case: "applyWishes" as const,
  value: { runtimes: [{ name: "plc1", action: PlannedAction.CREATE }] },
};
const plan = {
  case: "planWishes" as const,
  value: { runtimes: [{ name: "plc1", action: PlannedAction.CREATE, reason: "it is not there" }] },
};
const refused = {
  case: "failure" as const,
  value: { kind: FailureKind.DENIED, message: "the policy says no" },
};

describe("labels and rollouts", () => {
  let hub: TestHub;
  const folder = tempFolder();
  const nodes: { id: string; line: FakeNode; outcome: typeof done | typeof refused | undefined }[] = [];

  before(async () => {
    hub = await startHub();
    writeFileSync(join(folder.path, "token"), hub.adminToken, { mode: 0o600 });
    for (const name of ["press-1", "press-2", "press-3"]) {
      const fake = await enrolFake(hub, name);
      let sequence = 0n;
      const line = fake.dialWith(({ body }) => {
        const command = body.case === "command" ? body.value.command : undefined;
        const isRead = command?.request.case === "planWishes";
        const outcome = isRead ? (name === "press-2" ? refused : plan) : node.outcome;
        if (!command || !outcome) return;
        const value = { commandId: command.id, outcome };
        line.send({
          case: "report",
          value: { sequence: isRead ? 0n : ++sequence, entry: { case: "result", value } },
        });
      });
      const node: (typeof nodes)[number] = { id: fake.id, line, outcome: done };
      nodes.push(node);
    }
    await until("all are connected", async () =>
      (await hub.client(Fleet).listNodes({})).nodes.every(({ connected }) => connected),
    );
  });
  after(async () => {
    for (const { line } of nodes) line[Symbol.dispose]();
    await hub[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const say = async (words: string, options: Omit<Surroundings, "folder"> = {}) =>
    await ask([...words.split(" "), "--hub", hub.url, "--token-file", "token", "--ca-file", hub.caFile], {
      folder: folder.path,
      ...options,
    });
  const start = async (id: string, batch: string) => {
    const selector = [{ key: "site", value: "graz" }];
    const wishes = { runtimes: [{ name: "plc1", image: "plc" }] };
    return await hub.client(Rollouts).startRollout({ id, selector, wishes, batch });
  };
  const idOf = (at: number) => nodes[at]?.id ?? assert.fail();

  it("labels are set and removed by words, and nodes listed by them", async () => {
    assert.equal(
      (await say("node label press-1 site=graz line=1 ring-")).out,
      `node ${idOf(0)} has line=1,site=graz\n`,
    );
    for (const name of ["press-2", "press-3"]) await say(`node label ${name} site=graz`);
    assert.equal((await say("node label press-1 line-")).out, `node ${idOf(0)} has site=graz\n`);
    await say("node label press-1 line=1");
    const listed = (await say("node list --selector site=graz,line=1")).out.split("\n");
    assert.match(listed[0] ?? "", / LABELS /);
    assert.equal(listed.length, 3);
    assert.match(listed[1] ?? "", / line=1,site=graz /);
    assert.equal((await say("node list --selector site=wien")).out, "no node has site=wien\n");
    const wrong = await say("node label press-1 nothing");
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /"nothing" is not a label, as in site=graz/);
  });

  it("files are applied to many nodes as a rollout, after asking", async () => {
    writeFileSync(join(folder.path, "plant.yaml"), "kind: Runtime\nspec: { name: plc1, image: plc }\n");
    const apply = "apply -f plant.yaml --selector site=graz";
    const asked = await say(`${apply} --batch 50%`);
    assert.equal(asked.code, 3);
    assert.match(asked.err, /Apply to 3 nodes, 50% at a time\? Nobody is here to ask: say --yes/);
    const planned = await say(`${apply} --dry-run`);
    assert.equal(planned.code, 6);
    assert.match(planned.out, /\(press-1\)\n\+ create {2}plc1 {2}it is not there\n1 to create, /);
    assert.match(planned.out, /\(press-2\)\nit refuses: the policy says no\n/);
    assert.match(planned.err, /^error: 1 of 3 nodes refuse/);
    const each = (await say(`${apply} --dry-run --json`)).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      // In the order of the nodes' ids, which are made by chance.
      each.map(({ plan, refusal }) => String(refusal?.kind ?? plan.runtimes[0].action)).toSorted(),
      ["PLANNED_ACTION_CREATE", "PLANNED_ACTION_CREATE", "denied"],
    );
    const seen = await say(`${apply} --batch 50% --settle 0s --yes --rollout-id r-files`);
    assert.deepEqual([seen.code, seen.err], [0, ""]);
    assert.match(seen.out, /rollout r-files: all batches have ended; 3 succeeded\n$/);
    const begun = await say(
      "apply -f plant.yaml --nodes press-2,press-1 --settle 0s --yes --no-wait --rollout-id r-two",
    );
    assert.match(begun.out, /^rollout r-two has begun: follow it with/);
    await say("rollout watch r-two");
    const { rollout } = await hub.client(Rollouts).getRollout({ id: "r-two" });
    assert.deepEqual(
      rollout?.nodes.map(({ nodeId }) => nodeId),
      [idOf(1), idOf(0)],
    );
    const refusals = [
      [
        "apply -f plant.yaml --node press-1 --batch 2",
        /for many nodes: say which with --selector, --group, --nodes or --all/,
      ],
      [`${apply} --max-failures some --yes`, /It must be a number of nodes such as 2, or a part such as 5%/],
      ["apply -f plant.yaml --selector site= --group x --yes", /leave out the others/],
      [`${apply} --nodes press-1 --yes`, /leave out the others/],
      [`${apply} --batch 1.5 --yes`, /batch: "1.5" must be a number of nodes such as 5, or a part/],
      ["apply -f plant.yaml --selector site=wien --yes", /no node has site=wien/],
    ] as const;
    for (const [words, sentence] of refusals) assert.match((await say(words)).err, sentence);
  });

  it("one that succeeds is told node by node, and exits with 0", async () => {
    await start("r-good", "1");
    const seen = await say("rollout watch r-good");
    assert.deepEqual([seen.code, seen.err], [0, ""]);
    assert.match(seen.out, /succeeded: 1 create\n/);
    assert.match(seen.out, /rollout r-good: all batches have ended; 3 succeeded\n$/);
    const { out } = await say("rollout list");
    assert.match(out, /r-good +succeeded +3 succeeded +operator\/admin/);
  });

  it("on a terminal it is a table that refreshes, and whole at the end", async () => {
    await start("r-seen", "2");
    const seen = await say("rollout watch r-seen", { terminal: { columns: 80, animated: true } });
    assert.equal(seen.code, 0);
    const [, ...pictures] = seen.out.split("\x1b[H\x1b[J");
    assert.ok(pictures.length >= 2);
    for (const picture of pictures.slice(0, -1)) assert.match(picture, /^rollout r-seen: /);
    assert.match(pictures.at(-1) ?? "", /^id +r-seen\nstate +succeeded\n.*\nNODE +STATE +COMMAND +WHAT\n/s);
  });

  it("one that fails says where and why, and exits as the node failed", async () => {
    for (const node of nodes) node.outcome = refused;
    await start("r-bad", "1");
    const seen = await say("rollout watch r-bad");
    assert.equal(seen.code, 6);
    assert.match(
      seen.err,
      /^error: rollout r-bad failed: 1 node failed, and none may; see `orchestrator rollout get/,
    );
    const { out } = await say("rollout get r-bad");
    assert.match(out, /nodes +1 failed, 2 skipped/);
    assert.match(out, /failed +r-bad-1 +the policy says no/);
    assert.match(out, /skipped +- +it was left out: 1 node failed, and none may/);
  });

  it("one that is rolled back tells who has what it had, and who has not", async () => {
    for (const node of nodes) node.outcome = done;
    const file = "apply -f plant.yaml --nodes press-1 --settle 0s --yes --rollout-id r-back";
    assert.equal((await say(file)).code, 0);
    // These nodes answer as older ones do: they did something, and do not say what they had.
    const back = await say("rollout rollback r-back --yes");
    assert.equal(back.code, 7, back.err);
    assert.match(back.out, /not rolled back: it did not say what it had before: look at it/);
    assert.match(
      back.err,
      /^error: rollout r-back failed: the rollout was rolled back by operator\/admin; no node had to go back/,
    );
    assert.match((await say("rollout list")).out, /r-back +failed +1 succeeded, 1 not rolled back/);
  });

  it("Ctrl-C ends the watching only; cancel ends the rollout", async () => {
    for (const node of nodes) node.outcome = undefined;
    await start("r-long", "1");
    const leave = new AbortController();
    const watching = say("rollout watch r-long", { signal: leave.signal });
    setImmediate(() => leave.abort());
    const left = await watching;
    assert.equal(left.code, 130);
    assert.match(left.err, /the rollout goes on: follow it with `orchestrator rollout watch r-long`/);
    assert.equal(
      (await hub.client(Rollouts).getRollout({ id: "r-long" })).rollout?.state,
      RolloutState.RUNNING,
    );
    assert.match(
      (await say("rollout pause r-long")).out,
      /state +paused\nwhy +the rollout is held by operator\/admin/,
    );
    assert.match((await say("rollout resume r-long")).out, /state +running/);
    const { out } = await say("rollout abort r-long");
    assert.match(out, /called off by operator\/admin/);
    assert.equal((await say("rollout get nothing")).code, 4);
  });
});
