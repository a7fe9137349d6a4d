import assert from "node:assert/strict";
import { after, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DesiredState, type RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import {
  type ApplyWishesRequest,
  ApplyWishesRequestSchema,
  PlannedAction,
} from "../../../gen/edge/v1/wishes_pb.ts";
import { Failure, failure } from "../../../src/base/failure.ts";
import { sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import fc from "../../fixtures/properties.ts";
import { until } from "../../journeys/until.ts";
import { mixed, randomSpec } from "../wishes/random-spec.ts";
import { ask, atOnceMs, leftOf, live, newName, type SpecInit, spec } from "./life.ts";

const engine = await sharedEngine();
const [idle, script] = [await idleImage(engine), await scriptImage(engine)];
after(() => engine[Symbol.asyncDispose]());

const { CREATE, UPDATE, KEEP, DELETE } = PlannedAction;

/** A request with these wishes. */
function asking(
  runtimes: RuntimeSpec[],
  init: Partial<Pick<ApplyWishesRequest, "overrideLock">> & { prune?: { key: string; value: string }[] } = {},
): ApplyWishesRequest {
  return create(ApplyWishesRequestSchema, { runtimes, ...init });
}

/** Specs of the idle image, with names of this test's own. */
function named(count: number): (init?: SpecInit) => RuntimeSpec {
  let at = 0;
  const names = Array.from({ length: count }, newName);
  return (init = {}) => spec(idle, { name: names[at++ % count] ?? "", ...init });
}

/** What is refused, by its place. */
async function refusal(work: () => unknown) {
  const thrown = await Promise.resolve()
    .then(work)
    .then(
      () => failure("internal", "it was taken"),
      (why: unknown) => why,
    );
  assert.ok(thrown instanceof Failure, String(thrown));
  const { kind, violations } = thrown;
  return { kind, violations: violations.map(({ field, message }) => `${field}: ${message}`) };
}

test("wishes are made true at once, and each is told in its place: made, changed, left alone, gone", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs: 100, settleMs: atOnceMs });
  const { runtimes } = life;
  const line = { key: "line", value: newName() };
  const [keep, change, swap, gone, fresh, broken, waits] = Array.from({ length: 7 }, newName) as [
    ...[string, string, string, string, string, string, string],
  ];
  const before = [keep, change, swap, gone].map((name) => spec(idle, { name, labels: [line] }));
  const told: string[] = [];
  const progress = (phase: string) => void told.push(phase);
  const made = await runtimes.applyWishes(asking(before), ask({ progress }));
  assert.deepEqual(
    made.map(({ name, action, failure }) => [name, action, failure]),
    before.map(({ name }) => [name, CREATE, undefined]),
  );
  assert.ok(told.includes("0 of 4 done") && told.includes("4 of 4 done"), told.join());

  const wishes = [
    spec(idle, { name: waits, labels: [line], after: [{ runtime: broken }] }),
    spec(idle, { name: keep, labels: [line] }),
    spec(idle, { name: change, labels: [line], stopGraceMs: 2000 }),
    spec(idle, { name: swap, labels: [line], env: [{ name: "A", value: "b" }] }),
    spec(idle, { name: fresh, labels: [line] }),
    spec(script, { name: broken, env: [{ name: "DO", value: "echo no licence; exit 3" }] }),
  ];
  const plan = runtimes.planWishes(asking(wishes, { prune: [line] }));
  assert.deepEqual(
    plan.map(({ name, action, interrupts = false }) => [name, action, interrupts]),
    [
      ...[waits, keep, change, swap, fresh, broken].map((name, at) => [
        ...[name, [CREATE, KEEP, UPDATE, UPDATE, CREATE, CREATE][at], at === 3],
      ]),
      [gone, DELETE, true],
    ],
  );
  assert.match(plan[3]?.reason ?? "", /another container is needed: spec\.env/);
  assert.match(plan[6]?.reason ?? "", /^it is not mentioned, and has the label line=/);

  const { containerId } = await runtimes.get(keep, ask().signal);
  const applied = await runtimes.applyWishes(asking(wishes, { prune: [line] }), ask());
  assert.deepEqual(
    applied.map(({ name, action, interrupted = false }) => [name, action, interrupted]),
    plan.map(({ name, action, interrupts = false }) => [name, action, interrupts]),
  );
  assert.deepEqual(
    applied.map(({ failure }) => failure?.message ?? ""),
    [
      "",
      "",
      "",
      "",
      "",
      `the program of runtime ${broken} ended at once with exit code 3; its last output: no licence`,
      "",
    ],
  );
  assert.equal((await runtimes.get(keep, ask().signal)).containerId, containerId);
  assert.deepEqual([await leftOf(engine, gone), await leftOf(engine, broken)], [[], []]);
  const names = (await runtimes.list(ask().signal)).map(({ spec: one }) => one?.name);
  assert.deepEqual(names, [keep, change, swap, fresh, waits].sort());
  const purge = await runtimes.applyWishes(asking([], { prune: [line] }), ask());
  assert.deepEqual(
    purge.map(({ action, failure }) => [action, failure]),
    names.map(() => [DELETE, undefined]),
  );
  assert.deepEqual(await runtimes.list(ask().signal), []);
});

test("all wishes are looked at before anything is done, and everything that is wrong is told by its place", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const next = named(4);
  const [one, two, three, four] = [next(), next(), next(), next()];
  const apply = (...wishes: RuntimeSpec[]) => refusal(() => runtimes.applyWishes(asking(wishes), ask()));

  const wrong = await apply(
    one,
    { ...two, image: "Plc 4", capabilities: ["NET_RAW", "NET_RAW"] },
    { ...three, name: "" },
  );
  assert.deepEqual(
    [wrong.kind, wrong.violations.map((said) => said.replace(/ must be.*/, ""))],
    [
      "invalid",
      [
        'runtimes[1].image: "Plc 4"',
        'runtimes[1].capabilities[1]: "NET_RAW" is already runtimes[1].capabilities[0]',
        "runtimes[2].name: is required",
      ],
    ],
  );

  await runtimes.create(
    spec(idle, {
      name: four.name,
      after: [{ runtime: one.name }],
      ports: [{ nodePort: 47_201, runtimePort: 80 }],
    }),
    ask(),
  );
  const lan = (mac: string) => [{ name: "lan0", parent: "eth0", mac }];
  const together = await apply(
    spec(idle, { name: one.name, after: [{ runtime: two.name }] }),
    spec(idle, {
      name: two.name,
      after: [{ runtime: four.name }],
      ports: [{ nodePort: 47_201, runtimePort: 80 }],
    }),
    spec(idle, {
      name: three.name,
      vnics: lan("02:00:00:00:00:01"),
      ports: [{ nodePort: 47_202, runtimePort: 1 }],
    }),
    spec(idle, {
      name: newName(),
      vnics: lan("02:00:00:00:00:01"),
      ports: [{ nodePort: 47_202, runtimePort: 1 }],
    }),
  );
  assert.equal(together.kind, "invalid");
  assert.deepEqual(
    together.violations.map((said) => said.replace(/ (?:would wait for itself|is that of|may only).*/, "")),
    [
      "runtimes[0].after[0].runtime:",
      "runtimes[1].after[0].runtime:",
      "runtimes[1].ports[0].node_port: 47201",
      "runtimes[2].vnics[0].mac: 02:00:00:00:00:01",
      "runtimes[2].ports[0].node_port: 47202",
      "runtimes[3].vnics[0].mac: 02:00:00:00:00:01",
      "runtimes[3].ports[0].node_port: 47202",
    ],
  );
  assert.ok(
    together.violations[0]?.endsWith(`: ${[one, two, four, one].map(({ name }) => name).join(" after ")}`),
  );

  const denied = await apply(one, { ...two, capabilities: ["SYS_ADMIN"] });
  assert.deepEqual([denied.kind, denied.violations.length], ["denied", 1]);
  const many = await refusal(() =>
    runtimes.planWishes(asking(Array.from({ length: 256 }, () => spec(idle, { name: newName() })))),
  );
  assert.deepEqual(many, { kind: "exhausted", violations: [] });
  assert.deepEqual(
    (await runtimes.list(ask().signal)).map((runtime) => runtime.spec?.name),
    [four.name],
  );
  await runtimes.delete(four.name, { keepVolume: false }, ask());
});

test("whatever is wished for, it is planned, or each fault is named by its place", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const some = fc.array(fc.oneof(randomSpec, mixed(spec(idle, { name: newName() }), 2)), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(some, async (runtimes) => {
      const names = new Set(runtimes.map(({ name }) => name));
      if (names.size < runtimes.length) return; // The contract's own rule, which every door checks.
      const { violations } = await refusal(() => life.runtimes.planWishes(asking(runtimes)));
      for (const one of violations) assert.match(one, /^runtimes\[[0-4]\](\.[a-z0-9_]+(\[\d+\])?)*: /);
    }),
    { interruptAfterTimeLimit: 2_000, markInterruptAsFailure: false },
  );
});

test("a command that is taken up again after a crash goes on where it was, and tells the same", async () => {
  using folder = tempFolder();
  const line = { key: "line", value: newName() };
  const [swap, gone, bad, ...fresh] = Array.from({ length: 6 }, newName) as [
    string,
    string,
    string,
    ...string[],
  ];
  const wishes = [
    spec(script, { name: bad, env: [{ name: "DO", value: "exit 3" }] }),
    spec(idle, { name: swap, env: [{ name: "A", value: "b" }] }),
    ...fresh.map((name) => spec(idle, { name })),
  ];
  const request = asking(wishes, { prune: [line] });
  const id = `cmd-${newName()}`;
  {
    await using life = live(folder.path, engine.socketPath, { provenMs: 300, settleMs: atOnceMs });
    await life.runtimes.applyWishes(
      asking([swap, gone].map((name) => spec(idle, { name, labels: [line] }))),
      ask(),
    );
    life.runtimes.applyWishes(request, ask({ id })).catch(() => {}); // Its daemon dies: nobody hears of it.
    await until(
      "the first deed of the command",
      () => life.changes(gone).includes("DELETED") && life.changes(fresh[0] ?? "").includes("CREATED"),
    );
  }
  await using life = live(folder.path, engine.socketPath, { provenMs: 300, settleMs: atOnceMs });
  const again = await life.runtimes.applyWishes(request, ask({ id }));
  assert.deepEqual(
    again.map(({ name, action, failure }) => [name, action, failure !== undefined]),
    [
      [bad, CREATE, true],
      [swap, UPDATE, false],
      ...fresh.map((name) => [name, CREATE, false]),
      [gone, DELETE, false],
    ],
  );
  assert.equal(life.changes(swap).filter((kind) => kind === "UPDATED").length, 1);
  for (const name of fresh) {
    assert.equal(life.changes(name).filter((kind) => kind === "CREATED").length, 1, name);
  }
  await life.runtimes.applyWishes(asking([spec(idle, { name: swap, desired: DesiredState.STOPPED })]), ask());
  for (const name of [swap, ...fresh]) await life.runtimes.delete(name, { keepVolume: false }, ask());
});

test("an apply and a command on one of its runtimes are done one after the other, and a lock holds against it", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const [one, other] = [newName(), newName()];
  const stopped = runtimes.create(spec(idle, { name: one }), ask()).then(() => runtimes.stop(one, ask()));
  const applied = runtimes.applyWishes(asking([one, other].map((name) => spec(idle, { name }))), ask());
  await stopped;
  assert.deepEqual(
    (await applied).map(({ action, failure }) => [action, failure]),
    [
      [KEEP, undefined],
      [CREATE, undefined],
    ],
  );

  await runtimes.lock(one, { reason: "commissioning" }, ask());
  const longer = [one, other].map((name) => spec(idle, { name, stopGraceMs: 3000 }));
  assert.deepEqual(
    runtimes.planWishes(asking(longer)).map(({ locks = [] }) => locks.map(({ reason }) => reason)),
    [["commissioning"], []],
  );
  const [refused, done] = await runtimes.applyWishes(asking(longer), ask());
  assert.match(refused?.failure?.message ?? "", /is locked by test: "commissioning"/);
  assert.deepEqual([refused?.action, done?.action, done?.failure], [UPDATE, UPDATE, undefined]);
  const [overridden] = await runtimes.applyWishes(asking(longer, { overrideLock: true }), ask());
  assert.deepEqual([overridden?.failure, overridden?.interrupted], [undefined, false]);
  assert.deepEqual(
    await runtimes.applyWishes(asking([]), ask()),
    [],
    "none is pruned when no label is named",
  );
  for (const name of [one, other])
    await runtimes.delete(name, { keepVolume: false, overrideLock: true }, ask());
});

test("a stop of one runtime does not wait for the probation of an apply, and rolls it back", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath, { provenMs: 60_000 });
  const { runtimes } = life;
  const [one, other] = [newName(), newName()];
  const { runtime: before } = await runtimes.create(spec(idle, { name: one }), ask());
  const wishes = [spec(idle, { name: one, env: [{ name: "A", value: "b" }] }), spec(idle, { name: other })];
  const applied = runtimes.applyWishes(asking(wishes), ask());
  await until("its new version runs", async () => {
    const now = await runtimes.get(one, ask().signal);
    return now.probation && now.startedAt && now.containerId !== before.containerId;
  });
  const stopped = await runtimes.stop(one, ask());
  assert.equal(stopped.specHash, before.specHash);
  const [rolledBack, made] = await applied;
  assert.match(rolledBack?.failure?.message ?? "", /was rolled back: it was stopped before it was known/);
  assert.deepEqual([made?.action, made?.failure], [CREATE, undefined]);
  for (const name of [one, other]) await runtimes.delete(name, { keepVolume: false }, ask());
});

test("a command whose time runs out tells what is done and what is not; one that is called off has no answer", async () => {
  using folder = tempFolder();
  await using life = live(folder.path, engine.socketPath);
  const { runtimes } = life;
  const [good, hangs] = [newName(), newName()];
  const wishes = asking([spec(idle, { name: good }), spec("127.0.0.1:9/none:1", { name: hangs })]);
  const stopped = async (kind: "deadline" | "cancelled") => {
    const stop = new AbortController();
    const applied = runtimes.applyWishes(wishes, ask({ signal: stop.signal }));
    await until("the good one", () => life.changes(good).includes("CREATED") && runtimes.has(hangs));
    stop.abort(failure(kind, "enough"));
    return await applied;
  };
  assert.deepEqual(
    (await stopped("deadline")).map(({ name, action, failure: why }) => [name, action, why !== undefined]),
    [
      [good, CREATE, false],
      [hangs, CREATE, true],
    ],
  );
  await until("what hung is undone", () => !runtimes.has(hangs));
  await assert.rejects(stopped("cancelled"), { kind: "cancelled", message: "enough" });
  await until("what hung is undone again", () => !runtimes.has(hangs));
  await runtimes.delete(good, { keepVolume: false }, ask());
});
