import { create, toBinary } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  type ApplyWishesResponse,
  PlanWishesRequestSchema,
  PlanWishesResponseSchema,
} from "../../gen/edge/v1/wishes_pb.ts";
import { failure } from "../base/failure.ts";
import { formatBytes } from "../base/quantity.ts";
import { fromFailureMessage } from "../wire/failures.ts";
import { maxFrameBytes } from "../wire/limits.ts";
import { answer } from "./answer.ts";
import { applied, planned, summary, toAsk } from "./apply-tell.ts";
import { changed, type WaitFlag, waiting } from "./change.ts";
import { Spoken } from "./complain.ts";
import { confirmed } from "./confirm.ts";
import { readWishes, toldByPlace, type Wished, type Wishes } from "./documents/index.ts";
import { type Door, withDoor } from "./door.ts";
import { collect, duration } from "./flags.ts";
import { type LabelText, parseSelector } from "./labels.ts";
import {
  isForMany,
  type ManyFlags,
  mustBeWhole,
  mustMeanSome,
  nodesOf,
  withManyFlags,
} from "./many-nodes.ts";
import { tellPlans } from "./many-plans.ts";
import { type RolloutFlags, refuseLoneFlags, withRolloutFlags } from "./rollout-flags.ts";
import { startRollout } from "./rollout-follow.ts";
import type { Run } from "./run.ts";
import { type Target, targetOf, withNode } from "./target.ts";

interface FileFlags {
  file: string[];
  compose: boolean;
  /** Each flag may name several. */
  prune: LabelText[][];
}

interface ApplyFlags extends FileFlags, RolloutFlags, WaitFlag {
  dryRun: boolean;
  overrideLock: boolean;
  pull: boolean;
  probation?: number;
  yes: boolean;
}

/** What a command needs beside its wishes, in bytes. */
const envelopeBytes = 1024;

/** `orchestrator apply` */
export function defineApply(program: Command, run: Run): void {
  withRolloutFlags(waiting(fromFiles(program.command("apply"))))
    .description(
      "make the runtimes and agents of a node, or of many, what files say: create, update, leave alone, and with --prune delete",
    )
    .option("--dry-run", "print what would be done, and do nothing", false)
    .option("--override-lock", "touch runtimes although they are locked", false)
    .option("--pull", "ask the registry what tags mean now", false)
    .option(
      "--probation <duration>",
      "time for a new version to become healthy; 90s when not given",
      duration,
    )
    .option("-y, --yes", "do not ask before something is deleted or interrupted", false)
    .addHelpText(
      "after",
      `\nExamples:
  orchestrator apply -f plant.yaml --prune line=7 --dry-run
  orchestrator apply -f plant.yaml --selector site=graz --batch 10% --max-failures 1`,
    )
    .action(async (flags: ApplyFlags) => {
      const wishes = await readWishes(flags.file, run, flags);
      if (isForMany(flags)) {
        await withDoor(run, (door) => applyToMany({ run, door, target: undefined, wishes, flags }));
        return;
      }
      refuseLoneFlags(flags);
      await withNode(run, async (door, target) => {
        const asking = { run, door, target, wishes, flags };
        if (flags.dryRun) await plan(asking);
        else await apply(asking);
      });
    });
}

/** `orchestrator diff` */
export function defineDiff(program: Command, run: Run): void {
  withManyFlags(fromFiles(program.command("diff")))
    .description(
      "what apply would do to a node, or to many; exits with 0 when nothing, with 1 when something",
    )
    .addHelpText(
      "after",
      `\nExamples:
  orchestrator diff -f plant.yaml
  orchestrator diff -f plant.yaml --selector site=graz`,
    )
    .action(async (flags: FileFlags & ManyFlags) => {
      const wishes = await readWishes(flags.file, run, flags);
      if (isForMany(flags)) {
        await withDoor(run, async (door) => {
          const changing = await planMany({ run, door, target: undefined, wishes, flags });
          if (changing > 0) throw new Spoken();
        });
        return;
      }
      await withNode(run, async (door, target) => {
        if (await plan({ run, door, target, wishes, flags })) throw new Spoken();
      });
    });
}

function fromFiles(command: Command): Command {
  return command
    .requiredOption(
      "-f, --file <path>",
      "YAML or JSON file, a folder of them, or - for what is piped in; may be given often",
      (path: string, before: string[] | undefined) => [...(before ?? []), path], // A default would make the flag optional.
    )
    .option("--compose", "read the files as Compose files, which is seen from their services anyway", false)
    .option(
      "--prune <key=value,...>",
      "delete runtimes, with their volumes, and agents that have all of these labels and are not mentioned",
      collect(parseSelector),
      [],
    );
}

/** What is asked, of whom. */
interface Asking<F extends FileFlags> {
  run: Run;
  door: Door;
  target: Target;
  wishes: Wishes;
  flags: F;
}

/** @throws {Failure} exhausted: all of it together is more than a command carries. */
function requestOf({ wishes, flags }: Asking<FileFlags>) {
  const request = create(PlanWishesRequestSchema, {
    runtimes: wishes.runtimes.map(({ spec }) => spec),
    agents: wishes.agents.map(({ spec }) => spec),
    prune: flags.prune.flat(),
  });
  const sizeBytes = toBinary(PlanWishesRequestSchema, request).length + envelopeBytes;
  if (sizeBytes <= maxFrameBytes) return request;
  const sentence = `the wishes are ${formatBytes(sizeBytes)}, and a command carries at most ${formatBytes(maxFrameBytes)}`;
  throw failure("exhausted", `${sentence}: apply the files one after the other`);
}

/** Tells what would be done. @returns whether anything would. */
async function plan(asking: Asking<FileFlags>): Promise<boolean> {
  const { run } = asking;
  const response = await askPlan(asking);
  answer(run, PlanWishesResponseSchema, response, () => planned(response, run.terminal));
  return summary(response).isAnything;
}

async function askPlan(asking: Asking<FileFlags>) {
  const { door, target } = asking;
  const request = requestOf(asking);
  return await placed(asking, () => door.ask("planWishes", request, { nodeId: target?.id }));
}

async function apply(asking: Asking<ApplyFlags>): Promise<void> {
  await confirm(asking);
  const { run, door, target, flags } = asking;
  const request = applyRequestOf(asking);
  const outcome = await placed(asking, () =>
    changed(run, door, target, "applyWishes", request, flags.wait, applied),
  );
  if (outcome.is === "answered") refuseFailed(outcome.response);
}

/** The same on many nodes, as a rollout of the hub. */
async function applyToMany(asking: Asking<ApplyFlags>): Promise<void> {
  const { run, door, flags } = asking;
  if (flags.dryRun) {
    await planMany(asking);
    return;
  }
  await placed(asking, () => startRollout(run, door, applyRequestOf(asking), flags));
}

/** Tells what would be done at each node. @returns at how many something would. @throws {Failure} one did not tell. */
async function planMany(asking: Asking<FileFlags & ManyFlags>): Promise<number> {
  const { run, door, flags } = asking;
  const nodes = await nodesOf(run, door, flags);
  mustMeanSome(nodes, flags);
  const { told, changing } = await tellPlans(run, nodes, (node) =>
    askPlan({ ...asking, target: targetOf(node) }),
  );
  mustBeWhole(told);
  return changing;
}

function applyRequestOf(asking: Asking<ApplyFlags>) {
  const { overrideLock, pull, probation = 0 } = asking.flags;
  const { runtimes, agents, prune } = requestOf(asking);
  const rest = { keepBefore: false, absentRuntimes: [], absentAgents: [] };
  return { runtimes, agents, prune, overrideLock, pull, probationMs: probation, ...rest };
}

/** What went wrong with one was told in its place; the exit code is that of the first. */
function refuseFailed({ runtimes, agents }: ApplyWishesResponse): void {
  const all = [...runtimes, ...agents];
  const failed = all.filter((one) => one.failure);
  const why = failed[0]?.failure;
  if (!why) return;
  const names = failed.map(({ name }) => name).join(", ");
  throw failure(
    fromFailureMessage(why).kind,
    `${failed.length} of ${all.length} are not as wished: ${names}`,
  );
}

/** Shows what would be done, and asks before anything is deleted or interrupted. A node that is away cannot say what would be. */
async function confirm(asking: Asking<ApplyFlags>): Promise<void> {
  const { run, target, flags } = asking;
  if (target && !target.connected) {
    const question = `Node ${target.id} is away and cannot say what would change. Apply all the same?`;
    return await confirmed(run, flags.yes, question);
  }
  const response = await askPlan(asking);
  if (run.flags.json !== true) run.terminal.err(planned(response, run.terminal));
  const question = toAsk(response);
  if (question !== undefined) await confirmed(run, flags.yes, question);
}

/** What a node finds wrong with a wish is told with the place where it stands in a file. */
function placed<T>({ wishes }: Pick<Asking<FileFlags>, "wishes">, work: () => Promise<T>): Promise<T> {
  return toldByPlace((field) => {
    const [, kind, at, rest = ""] = /\b(runtimes|agents)\[(\d+)\](.*)$/.exec(field) ?? [];
    const wished: readonly Wished<unknown>[] = kind === "agents" ? wishes.agents : wishes.runtimes;
    return wished[Number(at)]?.place(`spec${rest}`);
  }, work);
}
