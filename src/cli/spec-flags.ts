import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { RuntimeProfile, type RuntimeSpec, RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import type { Vnic } from "../../gen/edge/v1/vnics_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure, invalidFields } from "../base/failure.ts";
import { beyondRules } from "../wire/runtime-spec.ts";
import { violationsOf } from "../wire/validation.ts";
import {
  type ContainerFlags,
  containerFlagNames,
  fromContainerFlags,
  withContainerFlags,
} from "./container-flags.ts";
import { type DeviceFlags, deviceFlagNames, fromDeviceFlags, withDeviceFlags } from "./device-flag.ts";
import { messageFrom, readDocument } from "./documents/index.ts";
import { collect, duration } from "./flags.ts";
import { fromLifeFlags, type LifeFlags, lifeFlagNames, withLifeFlags } from "./life-flags.ts";
import { fromLockFlags, type LockFlags, lockFlagNames, withLockFlags } from "./lock-flags.ts";
import type { Run } from "./run.ts";
import { parseVnic, vnicHelp } from "./vnic-flag.ts";

/** Flags that say what a runtime should be. */
export interface SpecFlags extends ContainerFlags, DeviceFlags, LifeFlags, LockFlags {
  image?: string;
  env: string[];
  profile?: keyof typeof profiles;
  publish: { nodePort: number; runtimePort: number }[];
  volumePath?: string;
  label: string[];
  stopGrace?: number;
  vnic: Vnic[];
}

const profiles = { openplc: RuntimeProfile.OPENPLC, plain: RuntimeProfile.PLAIN } as const;

/** Their names as commander keeps them. */
const specFlagNames = [
  ...["image", "env", "profile", "publish", "volumePath", "label", "stopGrace", "vnic"],
  ...containerFlagNames,
  ...deviceFlagNames,
  ...lifeFlagNames,
  ...lockFlagNames,
];

/** Adds them to a command, and a file in their place. */
export function withSpecFlags(command: Command): Command {
  return withLockFlags(withLifeFlags(withDeviceFlags(withContainerFlags(command))))
    .addOption(
      command
        .createOption(
          "-f, --file <path>",
          "YAML or JSON file with kind: Runtime, instead of a name and flags",
        )
        // It is either the one or the other, so that nobody has to know which wins.
        .conflicts([...specFlagNames]),
    )
    .option("--image <reference>", "image to run, as in ghcr.io/owner/name:tag")
    .option("-e, --env <NAME=value>", "environment variable; may be given often", collect(pair), [])
    .addOption(
      command
        .createOption("--profile <profile>", "kind of program; openplc when not given")
        .choices(Object.keys(profiles)),
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
    .addHelpText("after", vnicHelp);
}

/** The spec that name, flags and the words after `--` say. What they do not say is not set. */
export function fromSpecFlags(name: string, words: readonly string[], flags: SpecFlags): RuntimeSpec {
  return create(RuntimeSpecSchema, {
    ...{ name, image: flags.image ?? "" },
    env: flags.env.map(split).map(([name, value]) => ({ name, value })),
    command: [...words],
    ...fromContainerFlags(flags),
    ...fromDeviceFlags(flags),
    ...fromLifeFlags(flags),
    ...fromLockFlags(flags),
    profile: flags.profile === undefined ? RuntimeProfile.UNSPECIFIED : profiles[flags.profile],
    stopGraceMs: flags.stopGrace ?? 0,
    ports: flags.publish,
    volumePath: flags.volumePath ?? "",
    labels: flags.label.map(split).map(([key, value]) => ({ key, value })),
    vnics: flags.vnic,
  });
}

/** The spec in a file, which names the runtime itself. @throws {Failure} invalid. */
export async function specFromFile(path: string, given: string | undefined, run: Run): Promise<RuntimeSpec> {
  if (given !== undefined) {
    throw failure("invalid", `the file ${path} names the runtime: leave out ${evidence(given)}`);
  }
  const { kind, spec } = await readDocument(path, run);
  if (kind !== "Runtime") {
    throw failure(
      "invalid",
      `${path} describes an agent: deploy it with \`orchestrator agent deploy -f ${path}\``,
    );
  }
  return messageFrom(RuntimeSpecSchema, spec, "spec");
}

/** The same rules as at the node, before anything travels. @throws {Failure} invalid: every violation. */
export function checkRequest<D extends DescMessage>(
  schema: D,
  request: MessageShape<D> & { spec?: RuntimeSpec | undefined },
): void {
  const { spec } = request;
  const violations = [...violationsOf(schema, request), ...(spec ? beyondRules(spec, "spec") : [])];
  if (violations.length > 0) throw invalidFields(violations);
}

/** A value that lost its quotes must not become a command: that stands after `--` alone. */
export function checkDashes(words: readonly string[], { args }: Run, command: Command): void {
  const at = args.indexOf("--");
  if (words.length === (at < 0 ? 0 : args.length - at - 1)) return;
  command.error(
    "error: the name stands before --, and a command after it, as in plc1 --image plc:4 -- sh -c 'sleep 1'",
  );
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
