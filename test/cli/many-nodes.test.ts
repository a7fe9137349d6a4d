/** Groups, tenants, and questions to a whole fleet, as a person sees them: a real hub, and nodes that answer as the test says. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Result, ResultSchema } from "../../gen/edge/v1/command_pb.ts";
import { FailureKind } from "../../gen/edge/v1/failure_pb.ts";
import { FindingLevel, FindingSchema } from "../../gen/edge/v1/findings_pb.ts";
import { Fleet } from "../../gen/edge/v1/fleet_pb.ts";
import { RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import { PlannedAction } from "../../gen/edge/v1/wishes_pb.ts";
import { inCommon } from "../../src/cli/doctor-many.ts";
import { enrolFake } from "../fakes/enrolled.ts";
import type { FakeNode } from "../fakes/node.ts";
import { tempFolder } from "../fixtures/folder.ts";
import { startHub, type TestHub } from "../fixtures/hub.ts";
import { until } from "../journeys/until.ts";
import { ask } from "./ask.ts";

type Outcome = NonNullable<MessageInitShape<typeof ResultSchema>["outcome"]>;
const missing: Outcome = {
  case: "failure",
  value: { kind: FailureKind.NOT_FOUND, message: "there is none" },
};
const runtime = {
  spec: { name: "press", image: "plc" },
  phase: RuntimePhase.RUNNING,
  reason: "its container runs",
};

/** What each node says to each question. */
const says: Readonly<Record<string, Readonly<Record<string, Outcome>>>> = {
  "press-1": {
    planWishes: {
      case: "planWishes",
      value: { runtimes: [{ name: "press", action: PlannedAction.KEEP, reason: "as it is" }] },
    },
    getRuntime: { case: "getRuntime", value: { runtime } },
    checkNode: {
      case: "checkNode",
      value: {
        findings: [
          { check: "clock", level: FindingLevel.WARN, says: "it is off", why: "logs", next: "mend it" },
        ],
      },
    },
  },
  "press-2": {
    planWishes: {
      case: "planWishes",
      value: { runtimes: [{ name: "press", action: PlannedAction.CREATE, reason: "none yet" }] },
    },
    checkNode: {
      case: "checkNode",
      value: {
        findings: [
          { check: "clock", level: FindingLevel.WARN, says: "it is far off", why: "logs", next: "mend it" },
          {
            check: "engine",
            level: FindingLevel.FAIL,
            says: "it does not answer",
            why: "nothing runs",
            next: "start it",
          },
        ],
      },
    },
  },
};

describe("many nodes at once", () => {
  let hub: TestHub;
  const folder = tempFolder();
  const lines: FakeNode[] = [];
  const ids = new Map<string, string>();

  before(async () => {
    hub = await startHub();
    writeFileSync(join(folder.path, "token"), hub.adminToken, { mode: 0o600 });
    writeFileSync(join(folder.path, "plant.yaml"), "kind: Runtime\nspec: { name: press, image: plc }\n");
    for (const name of ["press-1", "press-2", "press-3"]) {
      const fake = await enrolFake(hub, name);
      ids.set(name, fake.id);
      await hub.client(Fleet).setNodeLabels({ id: fake.id, set: [{ key: "line", value: name.slice(-1) }] });
      if (name === "press-3") continue; // It never dials.
      const line = fake.dialWith(({ body }) => {
        const command = body.case === "command" ? body.value.command : undefined;
        if (!command) return;
        const outcome = says[name]?.[command.request.case ?? ""] ?? missing;
        const value: Result = create(ResultSchema, { commandId: command.id, outcome });
        line.send({ case: "report", value: { sequence: 0n, entry: { case: "result", value } } });
      });
      lines.push(line);
    }
    await until("two are connected", async () => {
      const { nodes } = await hub.client(Fleet).listNodes({});
      return nodes.filter(({ connected }) => connected).length === 2;
    });
  });
  after(async () => {
    for (const line of lines) line[Symbol.dispose]();
    await hub[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const say = async (...words: string[]) =>
    await ask([...words, "--hub", hub.url, "--token-file", "token", "--ca-file", hub.caFile], {
      folder: folder.path,
    });
  const idOf = (name: string) => ids.get(name) ?? assert.fail();

  it("a group is a selector with a name, and means the nodes of now", async () => {
    assert.equal(
      (await say("group", "set", "early", "line in (1,2)")).out,
      "group early means 2 nodes now\n",
    );
    assert.match(
      (await say("group", "list")).out,
      /^NAME +SELECTOR +NODES .*\nearly +line in \(1,2\) +2 +operator\/admin/,
    );
    const nodes = [idOf("press-1"), idOf("press-2")].sort().join(", ");
    assert.match((await say("group", "get", "early")).out, new RegExp(`nodes +${nodes}\n`));
    assert.equal((await say("node", "list", "--group", "early")).out.trim().split("\n").length, 3);
    const { nodes: told } = await hub.client(Fleet).listNodes({ ids: [idOf("press-1")] });
    assert.deepEqual(told[0]?.groups, ["early"]);
    assert.match((await say("group", "set", "wrong", "line in 1")).err, /is not a part of a selector/);
    await say("group", "set", "late", "line=3");
    assert.equal((await say("group", "remove", "late")).out, "group late is forgotten\n");
    assert.equal((await say("node", "list", "--group", "late")).code, 4);
  });

  it("diff tells of each node, exits with 1 when one would change, and otherwise when one cannot tell", async () => {
    const some = await say("diff", "-f", "plant.yaml", "--group", "early");
    assert.equal(some.code, 1);
    assert.match(some.out, /\(press-1\)\n= keep +press +as it is\n/);
    assert.match(some.out, /\(press-2\)\n\+ create +press +none yet\n/);
    assert.match(some.out, /\n2 nodes: 1 would change, 1 as wished\n$/);
    assert.equal((await say("diff", "-f", "plant.yaml", "--selector", "line=1")).code, 0);
    const all = await say("diff", "-f", "plant.yaml", "--all");
    assert.match(all.out, /\(press-3\)\nit is away, and cannot say what would change: it never was there\n/);
    assert.match(all.out, /\n3 nodes: 1 would change, 1 as wished, 1 away\n$/);
    assert.match(all.err, /^error: 1 of 3 nodes are away and could not be asked\n/);
    assert.equal(all.code, 7);
  });

  it("why tells where something is, and of the others why it is not", async () => {
    const { code, out } = await say("why", "press", "--all");
    assert.equal(code, 0);
    assert.match(out, /\(press-1\)\n {2}runtime press is running: its container runs\n/);
    assert.match(
      out,
      /\(press-2\)\n {2}there is none here: nobody wished for it, as far as the newest rollouts say\n/,
    );
    assert.match(out, /\(press-3\)\n {2}it is away \(it never was there\); it told of no runtime press\n/);
    assert.match(out, /it is on 1 of 3 nodes; 1 away\n$/);
    assert.equal((await say("why", "press", "--selector", "line=2")).code, 4);
  });

  it("doctor tells each thing once, worst first, with how many have it", async () => {
    const { code, out } = await say("doctor", "--all");
    assert.equal(code, 1, "something is to be mended");
    assert.match(
      out,
      new RegExp(`^fail +engine: ${idOf("press-2")}\n +it does not answer\n +nothing runs\n +-> start it\n`),
    );
    assert.match(out, /\nwarn +clock: 2 places: /);
    assert.match(out, /\nwarn +nodes: the hub\n +1 away: /);
    assert.match(
      out,
      new RegExp(
        `\nnot seen ${idOf("press-3")}: it is away, it never was there\n2 of 3 nodes and the hub: 1 to mend`,
      ),
    );
    const json = JSON.parse((await say("doctor", "--nodes", "press-1", "--json")).out);
    assert.equal(json.nodes[0].findings[0].level, "FINDING_LEVEL_WARN");
    assert.ok(json.hub.length > 3);
  });

  it("findings of many are told once each", () => {
    const finding = (check: string, level: FindingLevel) => create(FindingSchema, { check, level });
    const { OK, WARN, FAIL } = FindingLevel;
    const told = inCommon([
      { place: "a", findings: [finding("one", WARN), finding("two", OK)] },
      { place: "b", findings: [finding("one", WARN), finding("three", WARN)] },
      { place: "c", findings: [finding("one", FAIL)] },
    ]);
    assert.deepEqual(
      told.map(({ check, level, places }) => [check, level, places.join()]),
      [
        ["one", FAIL, "c"],
        ["one", WARN, "a,b"],
        ["three", WARN, "b"],
      ],
    );
  });

  it("a tenant's operator sees its tenant's nodes", async () => {
    assert.match((await say("node", "tenant", "press-2", "north")).out, /belongs to north\n$/);
    const made = await say("hub", "operator", "create", "nora", "--role", "operator", "--tenant", "north");
    writeFileSync(join(folder.path, "nora"), made.out.trim(), { mode: 0o600 });
    const { out } = await ask(
      ["node", "list", "--hub", hub.url, "--token-file", "nora", "--ca-file", hub.caFile],
      { folder: folder.path },
    );
    assert.deepEqual(
      out
        .trim()
        .split("\n")
        .map((line) => line.includes("north")),
      [false, true],
    );
    assert.match((await say("hub", "operator", "list")).out, /nora +operator +north/);
    assert.match((await say("node", "tenant", "press-2")).out, /belongs to no tenant\n$/);
  });
});
