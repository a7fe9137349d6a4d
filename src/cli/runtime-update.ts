import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  RuntimePhase,
  type RuntimeSpec,
  UpdateRuntimeRequestSchema,
  type UpdateRuntimeResponse,
} from "../../gen/edge/v1/runtimes_pb.ts";
import { PlanWishesResponseSchema } from "../../gen/edge/v1/wishes_pb.ts";
import { failure } from "../base/failure.ts";
import { answer } from "./answer.ts";
import { planned } from "./apply-tell.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import type { Door } from "./door.ts";
import { duration } from "./flags.ts";
import { laidOver } from "./laid-over.ts";
import { type OverrideFlag, overriding } from "./lock-flags.ts";
import type { Run } from "./run.ts";
import { saidOf } from "./runtime-tell.ts";
import {
  checkDashes,
  checkRequest,
  fromSpecFlags,
  type SpecFlags,
  specFromFile,
  withSpecFlags,
} from "./spec-flags.ts";
import { type Target, withNode } from "./target.ts";

interface UpdateFlags extends WaitFlag, SpecFlags, OverrideFlag {
  file?: string;
  pull: boolean;
  probation?: number;
  dryRun: boolean;
}

/** `orchestrator runtime update` */
export function defineUpdate(noun: Command, run: Run): void {
  overriding(withSpecFlags(waiting(noun.command("update [name] [command...]"))))
    .description(
      "change a runtime, and wait until it is known that it works; one that does not is rolled back",
    )
    .option("--pull", "ask the registry what the image's tag means now", false)
    .option(
      "--probation <duration>",
      "time for a new version to become healthy; 90s when not given",
      duration,
    )
    .option("--dry-run", "print what would change, and do nothing; the registry is not asked", false)
    .addHelpText(
      "after",
      `
Flags change only what they name: --env LEVEL=2 leaves the other variables. A file is the whole wish.

Examples:
  orchestrator runtime update press-1 --image ghcr.io/owner/plc:4.1 --dry-run
  orchestrator runtime update press-1 --image ghcr.io/owner/plc:4.1 --probation 3m
  orchestrator runtime update press-1 --memory 1Gi`,
    )
    .action(async (name: string | undefined, words: string[], flags: UpdateFlags, command: Command) => {
      checkDashes(words, run, command);
      const given = [name, ...words].find((one) => one !== undefined);
      const whole = flags.file === undefined ? undefined : await specFromFile(flags.file, given, run);
      if (whole === undefined && name === undefined)
        command.error("error: missing required argument 'name' (or --file)");
      await withNode(run, async (door, target) => {
        const spec = whole ?? (await laidOverThere(fromSpecFlags(name ?? "", words, flags), door, target));
        if (flags.dryRun) await plan(run, spec, door, target);
        else await update(run, spec, flags, door, target);
      });
    });
}

/** What the node has now, with what the flags name laid over it. */
async function laidOverThere(given: RuntimeSpec, door: Door, target: Target): Promise<RuntimeSpec> {
  const { name } = given;
  const { runtime } = await door.ask("getRuntime", { name }, { nodeId: target?.id });
  if (!runtime?.spec) throw failure("internal", `the node told nothing of runtime ${name}`);
  return laidOver(runtime.spec, given);
}

/** Tells what would change. What differs is found as for an apply of this one wish. */
async function plan(run: Run, spec: RuntimeSpec, door: Door, target: Target): Promise<void> {
  checkRequest(UpdateRuntimeRequestSchema, create(UpdateRuntimeRequestSchema, { spec }));
  await door.ask("getRuntime", { name: spec.name }, { nodeId: target?.id }); // It would be planned as a create.
  const response = await door.ask(
    "planWishes",
    { runtimes: [spec], agents: [], prune: [] },
    { nodeId: target?.id },
  );
  answer(run, PlanWishesResponseSchema, response, () => planned(response, run.terminal));
}

async function update(
  run: Run,
  spec: RuntimeSpec,
  { overrideLock, probation: probationMs = 0, pull, wait }: UpdateFlags,
  door: Door,
  target: Target,
): Promise<void> {
  const request = create(UpdateRuntimeRequestSchema, { spec, overrideLock, probationMs, pull });
  checkRequest(UpdateRuntimeRequestSchema, request);
  await change(
    run,
    door,
    target,
    "updateRuntime",
    request,
    wait,
    (response) => `runtime ${spec.name} ${toldUpdate(response)}\n`,
  );
}

function toldUpdate({ runtime, changes, interrupted }: UpdateRuntimeResponse): string {
  if (changes.length === 0) return "is as wished";
  const fields = changes.map(({ field }) => field).join(", ");
  const how = interrupted ? "its program was interrupted" : "its program went on";
  const isStopped = runtime?.phase === RuntimePhase.STOPPED;
  return saidOf(runtime, `was updated, and ${isStopped ? "is stopped" : how} (${fields})`);
}
