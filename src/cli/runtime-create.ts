import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  type CreateRuntimeRequest,
  CreateRuntimeRequestSchema,
  RuntimeProfile,
  RuntimeSpecSchema,
} from "../../gen/edge/v1/runtimes_pb.ts";
import type { Vnic } from "../../gen/edge/v1/vnics_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure, invalidFields } from "../base/failure.ts";
import { violationsOf } from "../wire/validation.ts";
import { wrongVnics } from "../wire/vnics.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import {
  type ContainerFlags,
  containerFlagNames,
  fromContainerFlags,
  withContainerFlags,
} from "./container-flags.ts";
import { readDocument } from "./document.ts";
import { messageFrom } from "./document-message.ts";
import { collect, duration } from "./flags.ts";
import { fromLifeFlags, type LifeFlags, lifeFlagNames, withLifeFlags } from "./life-flags.ts";
import { fromLockFlags, type LockFlags, lockFlagNames, withLockFlags } from "./lock-flags.ts";
import type { Run } from "./run.ts";
import { describeRuntime, saidOf } from "./runtime-tell.ts";
import { withNode } from "./target.ts";
import { parseVnic, vnicHelp } from "./vnic-flag.ts";

interface CreateFlags extends WaitFlag, ContainerFlags, LifeFlags, LockFlags {
  file?: string;
  image?: string;
  env: string[];
  profile?: "openplc" | "plain";
  publish: { nodePort: number; runtimePort: number }[];
  volumePath?: string;
  label: string[];
  stopGrace?: number;
  vnic: Vnic[];
}

/** `orchestrator runtime create` */
export function defineCreate(noun: Command, run: Run): void {
  withLockFlags(withLifeFlags(withContainerFlags(waiting(noun.command("create [name] [command...]")))))
    .description("create a runtime, start it, and wait until it runs; what stands after -- is its command")
    .addOption(
      noun
        .createOption(
          "-f, --file <path>",
          "YAML or JSON file with kind: Runtime, instead of a name and flags",
        )
        .conflicts([...flagsOfSpec]),
    )
    .option("--image <reference>", "image to run, as in ghcr.io/owner/name:tag")
    .option("-e, --env <NAME=value>", "environment variable; may be given often", collect(pair), [])
    .addOption(
      noun
        .createOption("--profile <profile>", "kind of program; openplc when not given")
        .choices(["openplc", "plain"]),
    )
    .option(
      "--publish <node:runtime>",
      "TCP port of the node's loopback address and of the runtime, as in 18443:8443; may be given often",
      collect(parsePorts),
      [],
    )
    .option("--volume-path <path>", "where its volume is mounted")
    .option("--label <key=value>", "label of your own; may be given often", collect(pair), [])
    .option("--stop-grace <duration>", "time between SIGTERM and SIGKILL, as in 30s", duration)
    .option(
      "--vnic <vnic>",
      "network attachment, as in lan0,parent=eth0,dhcp; may be given often",
      collect(parseVnic),
      [],
    )
    .addHelpText("after", vnicHelp)
    .action(async (name: string | undefined, words: string[], flags: CreateFlags, command: Command) => {
      checkDashes(words, run, command);
      const given = [name, ...words].find((one) => one !== undefined);
      const request =
        flags.file === undefined
          ? fromFlags(name, words, flags, command)
          : await fromFile(flags.file, given, run);
      check(request);
      await withNode(run, (door, target) =>
        change(run, door, target, "createRuntime", request, flags.wait, ({ runtime, created }) =>
          created
            ? `runtime ${request.spec?.name} ${saidOf(runtime, "runs")}\n${describeRuntime(runtime)}`
            : `runtime ${request.spec?.name} was there already, just like this\n`,
        ),
      );
    });
}

/** The same rules as at the node, before anything travels. @throws {Failure} invalid: every violation. */
function check(request: CreateRuntimeRequest): void {
  const violations = [
    ...violationsOf(CreateRuntimeRequestSchema, request),
    ...wrongVnics(request.spec?.vnics ?? [], "spec.vnics"),
  ];
  if (violations.length > 0) throw invalidFields(violations);
}

/** What a file says too: it is either the one or the other, so that nobody has to know which wins. */
const flagsOfSpec = [
  ...["image", "env", "profile", "publish", "volumePath", "label", "stopGrace", "vnic"],
  ...containerFlagNames,
  ...lifeFlagNames,
  ...lockFlagNames,
];

/** A value that lost its quotes must not become a command: that stands after `--` alone. */
function checkDashes(words: readonly string[], { args }: Run, command: Command): void {
  const at = args.indexOf("--");
  if (words.length === (at < 0 ? 0 : args.length - at - 1)) return;
  command.error(
    "error: the name stands before --, and a command after it, as in plc1 --image plc:4 -- sh -c 'sleep 1'",
  );
}

async function fromFile(path: string, given: string | undefined, run: Run) {
  if (given !== undefined) {
    throw failure("invalid", `the file ${path} names the runtime: leave out ${evidence(given)}`);
  }
  const { spec } = await readDocument(path, run);
  return create(CreateRuntimeRequestSchema, { spec: messageFrom(RuntimeSpecSchema, spec, "spec") });
}

function fromFlags(name: string | undefined, words: string[], flags: CreateFlags, command: Command) {
  if (name === undefined) command.error("error: missing required argument 'name' (or --file)");
  const { image } = flags;
  if (image === undefined)
    command.error("error: required option '--image <reference>' not specified (or --file)");
  return create(CreateRuntimeRequestSchema, {
    spec: {
      name,
      image,
      env: flags.env.map(split).map(([name, value]) => ({ name, value })),
      command: words,
      ...fromContainerFlags(flags),
      ...fromLifeFlags(flags),
      ...fromLockFlags(flags),
      profile: flags.profile === "plain" ? RuntimeProfile.PLAIN : RuntimeProfile.OPENPLC,
      stopGraceMs: flags.stopGrace ?? 0,
      ports: flags.publish,
      volumePath: flags.volumePath ?? "",
      labels: flags.label.map(split).map(([key, value]) => ({ key, value })),
      vnics: flags.vnic,
    },
  });
}

function parsePorts(text: string) {
  const [, nodePort, runtimePort] = /^(\d{1,9}):(\d{1,9})$/.exec(text) ?? [];
  if (nodePort === undefined || runtimePort === undefined) {
    throw failure("invalid", "it must be the node's port, a colon and the runtime's port, as in 18443:8443");
  }
  return { nodePort: Number(nodePort), runtimePort: Number(runtimePort) };
}

function pair(text: string): string {
  if (!/^[^=]+=/.test(text))
    throw failure("invalid", "it must be a name, an equals sign and a value, as in MODE=test");
  return text;
}

function split(text: string): [string, string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
