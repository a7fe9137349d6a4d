import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { LogStream } from "../../../gen/edge/v1/runtimes_pb.ts";
import { abortOf } from "../../base/tasks.ts";
import { type Cell, type CellEnd, noInputCode, noInputLine } from "../sandbox/index.ts";
import type { AttemptTools } from "./attempt-tools.ts";
import { conclude, ranMs } from "./conclude.ts";
import { insist } from "./insist.ts";
import { putAway } from "./put-away.ts";
import type { TaskRecord } from "./task.ts";
import { interrupted, type Verdict, verdictOf } from "./verdict.ts";

/** The contract's grace of a manifest that does not say, in milliseconds. */
const usualGraceMs = 5_000;
/**
 * From a program that runs to a task that is finished or queued again, and a cell that is gone.
 * @param hasEnded its program ended while nobody looked, in time as far as anybody can know.
 */
export async function seeThrough(
  tools: AttemptTools,
  id: string,
  cell: Cell,
  { callOff, hasEnded = false }: { callOff: AbortSignal; hasEnded?: boolean },
): Promise<void> {
  const { cells, signal } = tools;
  const ended = insist(tools, "wait for a container", () => cells.ended(cell, signal));
  ended.catch(() => {}); // It is awaited below, perhaps later.
  const first = hasEnded ? "ended" : await firstOf(tools, id, { callOff, ended });
  if (first !== "ended") {
    await markStopping(tools, id, first);
    const graceMs = graceOf(tools, id);
    await insist(tools, "stop a container", () => cells.stop(cell, graceMs, signal));
  }
  const end = await ended;
  if (await hadNoInput(tools, id, cell, end)) await waitAgain(tools, id, end);
  else {
    const judge = (task: TaskRecord, spec: AgentSpec | undefined): Verdict => {
      const what = end.exitCode === 0 ? undefined : downtime(tools, task);
      return what === undefined ? verdictOf(task, end, spec) : interrupted(task, what, spec);
    };
    await conclude(tools, id, judge, end);
  }
  await putAway(tools, id, cell);
}

/**
 * Whether its program never had anything of its input: the first process of its cell says so. A program could say the same, so it
 * counts only where it can be: an engine may die with what it took of us and did not hand on.
 */
async function hadNoInput(
  { ledger, cells, signal, ...tools }: AttemptTools,
  id: string,
  cell: Cell,
  { exitCode, isCutOff }: CellEnd,
): Promise<boolean> {
  const mayBe = isCutOff || ledger.open.get(id)?.given === false;
  if (!mayBe || exitCode !== noInputCode) return false;
  const { lines } = await insist({ ...tools, signal }, "read a container's log", () =>
    cells.logs(cell, signal),
  );
  return lines.some(({ stream, text }) => stream === LogStream.STDERR && text === noInputLine);
}

/** It is as if the attempt had not been. One that is being cancelled or was late is so all the same. */
async function waitAgain(tools: AttemptTools, id: string, end: CellEnd): Promise<void> {
  const reason = "its container ended before it had its input: it waits again";
  const judge = (task: TaskRecord, spec: AgentSpec | undefined): Verdict =>
    task.ending ? verdictOf(task, end, spec) : { state: "queued", reason, pauseMs: 0 };
  const attempts = Math.max(0, (tools.ledger.open.get(id)?.attempts ?? 0) - 1);
  tools.onTrouble(reason);
  await conclude(tools, id, judge, end, { attempts });
}

type First = "ended" | "late" | "called off";

/** What comes first: its end, or a reason to end it. */
async function firstOf(
  { clock, ledger, signal, machineTime }: AttemptTools,
  id: string,
  { ended, callOff }: { ended: Promise<unknown>; callOff: AbortSignal },
): Promise<First> {
  const task = ledger.open.get(id);
  if (!task || task.state === "stopping") return "called off";
  const over = new AbortController();
  const leftMs = Math.max(0, task.wallTimeMs - ranMs(task, machineTime()));
  using calledOff = abortOf(callOff);
  try {
    return await Promise.race<First>([
      ended.then(() => "ended"),
      clock.sleep(leftMs, AbortSignal.any([over.signal, signal])).then(() => "late"),
      calledOff.promise.then(() => "called off"),
    ]);
  } finally {
    over.abort();
  }
}

/** Tells that a program is being ended for being late; that its task is being cancelled is on disk already. */
async function markStopping(tools: AttemptTools, id: string, why: First): Promise<void> {
  const { ledger } = tools;
  await insist(tools, "write a task", () => {
    const task = ledger.open.get(id);
    if (task?.state !== "running") return;
    const reason = `it took longer than ${task.wallTimeMs} ms, and is being ended`;
    if (task.ending) ledger.advance(id, "stopping", task.reason);
    else if (why === "late") ledger.advance(id, "stopping", reason, { ending: "late" });
  });
}

function graceOf({ ledger, version }: AttemptTools, id: string): number {
  const task = ledger.open.get(id);
  const deployed = task && version(task.agent, task.version);
  return deployed?.spec.resources?.stopGraceMs || usualGraceMs;
}

/** What a machine that was off in the middle of an attempt means for it; undefined when it was not. */
function downtime({ machineTime }: AttemptTools, { beganAt }: TaskRecord): string | undefined {
  const isOfThisBoot = beganAt === undefined || beganAt.bootId === machineTime().bootId;
  return isOfThisBoot ? undefined : "the machine went down while it ran";
}
