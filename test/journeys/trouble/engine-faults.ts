/** Commands of all kinds on several runtimes while the engine has one fault after another. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { CommandSchema, type Result } from "../../../gen/edge/v1/command_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import {
  createRuntime,
  deleteRuntime,
  restartRuntime,
  startRuntime,
  stopRuntime,
  updateRuntime,
} from "../../../src/daemon/runtimes/index.ts";
import { type Dispatch, Work } from "../../../src/daemon/work/index.ts";
import { ask, live, spec } from "../../daemon/runtimes/life.ts";
import { engineProxy } from "../../fakes/engine-proxy.ts";
import { localCaller, unguarded } from "../../fakes/unguarded.ts";
import { type Chance, chanceOf } from "../../fixtures/chance.ts";
import { startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { idleImage, scriptImage } from "../../fixtures/images.ts";
import { until } from "../until.ts";
import { faultsOf } from "./faults.ts";
import { after, type Kind, kindsFor, requestOf, type Should, succeeds } from "./model.ts";
import { lookAt, mustBeSeen } from "./seen.ts";
import { assertToldOnce } from "./told.ts";

/** A command has no longer than this: some are too slow for the fault that they meet. */
const budgetMs = 5_000;
/** Generous: how soon all is well after a fault is no promise. */
const wellMs = 90_000;
/** Before the next command after one that failed. */
const refusedMs = 50;
/** One who is never commanded. */
const bystanders = ["left", "right"];
const commanded = ["one", "two", "three"];

const handlers = { createRuntime, deleteRuntime, startRuntime, stopRuntime, updateRuntime, restartRuntime };

/** What came of it, for people. */
export interface Outcome {
  faults: number;
  commands: number;
  failed: number;
}

/** Lets every fault happen `times` over; a seed decides their order, how long they stay, and what is asked meanwhile. */
export async function engineFaults(
  seed: number,
  times: number,
  tell: (line: string) => void,
): Promise<Outcome> {
  const chance = chanceOf(seed);
  await using engine = await startEngine({ name: "faults" });
  const [idle, script] = [await idleImage(engine), await scriptImage(engine)];
  await using proxy = await engineProxy(engine.socketPath);
  using folder = tempFolder();
  await using life = live(folder.path, proxy.socketPath, { timeouts: { ask: 1000, act: 2000 } });
  const { sql, journal, clock, log, runtimes } = life;
  const dispatch: Dispatch = async (request, how) => {
    const handle = handlers[request.case as keyof typeof handlers]; // The model asks for nothing else.
    // Each gets its own request, which a type cannot follow through a variable.
    return { case: request.case, value: await handle({ runtimes }, request.value as never, how) } as never;
  };
  using work = new Work({ sql, journal, clock, log, dispatch, guard: unguarded });
  for (const name of bystanders) await runtimes.create(spec(idle, { name }), ask());
  const before = (await lookAt(engine.docker)).starts;

  const over = new AbortController();
  const absent: Should = { be: "absent", version: 1 };
  const good = { count: 0 };
  const lanes = commanded.map((name, at) =>
    traffic({ name, work, script, good, chance: chanceOf(seed + at + 1), signal: over.signal }, absent),
  );
  const watch = Promise.race(lanes); // One that fails ends it all at once.
  let faults = 0;
  for (let n = 0; n < times; n++) {
    for (const fault of faultsOf(engine, proxy, chance)) {
      tell(fault.name);
      await Promise.race([fault.happen(), watch]);
      const before = good.count;
      const isWell = until("a command that succeeds again", () => good.count > before, wellMs);
      await Promise.race([isWell, watch]);
      faults++;
    }
  }
  over.abort();
  const ends = await Promise.all(lanes);
  const must = new Map(
    ends.flatMap(({ name, should }) => {
      const seen = mustBeSeen(should);
      return seen ? [[name, seen] as const] : [];
    }),
  );
  await until(
    "what must be",
    async () => {
      const { seen } = await lookAt(engine.docker);
      for (const name of bystanders) seen.delete(name);
      assert.deepEqual(seen, must);
      return true;
    },
    90_000,
  );
  const { starts } = await lookAt(engine.docker);
  for (const name of bystanders) assert.equal(starts.get(name), before.get(name), `${name} runs as it did`);
  assertToldOnce(life.events());
  const results = ends.flatMap(({ results }) => results);
  const failed = results.filter(({ outcome }) => outcome.case === "failure").length;
  return { faults, commands: results.length, failed };
}

interface Lane {
  name: string;
  work: Work;
  script: string;
  /** Commands of all lanes that succeeded. */
  good: { count: number };
  chance: Chance;
  signal: AbortSignal;
}

/**
 * Asks for one thing after another, until it is called off. An update whose outcome is not known is asked for again until it is.
 * @returns what must be at last.
 */
async function traffic({ name, work, script, good, chance, signal }: Lane, absent: Should) {
  const results: Result[] = [];
  let should = absent;
  let again: Kind | undefined;
  while (!signal.aborted || again !== undefined) {
    const kind: Kind = again ?? chance.oneOf(kindsFor(should));
    const id = `${results.length}-${kind.replaceAll(" ", "-")}-${name}`;
    const command = create(CommandSchema, { id, budgetMs, request: requestOf(kind, name, should, script) });
    const result = await work.call(command, localCaller, AbortSignal.timeout(60_000));
    results.push(result);
    const isGood = result.outcome.case !== "failure";
    if (isGood) good.count++;
    else await sleep(refusedMs); // A refusal takes no time: asked again at once, nothing else would ever have its turn.
    again = kind === "update" && !isGood ? kind : undefined;
    if (!again) should = afterResult(kind, should, result);
    assert.ok(isGood || isExcused(kind, result), `${id}: ${inWords(result)}`);
    const asked = await work.call(command, localCaller, AbortSignal.timeout(60_000));
    assert.deepEqual(asked, result, "asked again, the same answer");
  }
  return { name, should, results };
}

/** Whether this is how the engine's trouble may end a command: never `internal`, and never a word about the wish. */
function isExcused(kind: Kind, { outcome }: Result): boolean {
  if (outcome.case !== "failure") return false;
  const excuses: FailureKind[] = [FailureKind.UNAVAILABLE, FailureKind.DEADLINE];
  // A new version that was not healthy in time, and an update before this one of which that is not known yet.
  if (kind.startsWith("update")) excuses.push(FailureKind.INVALID, FailureKind.CONFLICT);
  return excuses.includes(outcome.value.kind);
}

/** What must be after a command that may have failed. What was only begun is finished, but for a create, which is undone. */
function afterResult(kind: Kind, should: Should, { outcome, commandId }: Result): Should {
  if (outcome.case !== "failure") assert.ok(succeeds(kind), `${commandId} must not succeed`);
  else if (kind === "create") return should;
  return after(kind, should);
}

function inWords({ outcome }: Result): string {
  return outcome.case === "failure" ? outcome.value.message : "done";
}
