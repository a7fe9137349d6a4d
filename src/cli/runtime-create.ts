import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { CreateRuntimeRequestSchema, type RuntimeSpec } from "../../gen/edge/v1/runtimes_pb.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import type { Run } from "./run.ts";
import { describeRuntime, saidOf } from "./runtime-tell.ts";
import {
  checkDashes,
  checkRequest,
  fromSpecFlags,
  type SpecFlags,
  specFromFile,
  withSpecFlags,
} from "./spec-flags.ts";
import { withNode } from "./target.ts";

interface CreateFlags extends WaitFlag, SpecFlags {
  file?: string;
}

/** `orchestrator runtime create` */
export function defineCreate(noun: Command, run: Run): void {
  withSpecFlags(waiting(noun.command("create [name] [command...]")))
    .description("create a runtime, start it, and wait until it runs; what stands after -- is its command")
    .action(async (name: string | undefined, words: string[], flags: CreateFlags, command: Command) => {
      checkDashes(words, run, command);
      const given = [name, ...words].find((one) => one !== undefined);
      const spec =
        flags.file === undefined
          ? fromFlags(name, words, flags, command)
          : await specFromFile(flags.file, given, run);
      const request = create(CreateRuntimeRequestSchema, { spec });
      checkRequest(CreateRuntimeRequestSchema, request);
      await withNode(run, (door, target) =>
        change(run, door, target, "createRuntime", request, flags.wait, ({ runtime, created }) =>
          created
            ? `runtime ${spec.name} ${saidOf(runtime, "runs")}\n${describeRuntime(runtime)}`
            : `runtime ${spec.name} was there already, just like this\n`,
        ),
      );
    });
}

function fromFlags(
  name: string | undefined,
  words: string[],
  flags: CreateFlags,
  command: Command,
): RuntimeSpec {
  if (name === undefined) command.error("error: missing required argument 'name' (or --file)");
  if (flags.image === undefined)
    command.error("error: required option '--image <reference>' not specified (or --file)");
  return fromSpecFlags(name, words, flags);
}
