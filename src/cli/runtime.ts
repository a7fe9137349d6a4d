import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { SubmitCommandResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import {
  CreateRuntimeRequestSchema,
  ListRuntimesResponseSchema,
  type Runtime,
  RuntimePhase,
  RuntimeProfile,
} from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../base/failure.ts";
import type { CommandCase, RequestOf, ResponseOf } from "../wire/commands.ts";
import { validate } from "../wire/validation.ts";
import { ago, answer, moment, word } from "./answer.ts";
import { carryOut } from "./carry-out.ts";
import { confirmed } from "./confirm.ts";
import { capabilityNamed, type Door, withDoor } from "./door.ts";
import { checked, collect, duration } from "./flags.ts";
import { formatBytes, parseSize } from "./quantity.ts";
import type { Run } from "./run.ts";
import { sheet, table } from "./table.ts";
import { findTarget, type Target } from "./target.ts";

interface WaitFlag {
  wait: boolean;
}

interface CreateFlags extends WaitFlag {
  image: string;
  env: string[];
  memory?: bigint;
  cpuset?: string;
  pids?: bigint;
  profile?: "openplc" | "plain";
  publish: { nodePort: number; runtimePort: number }[];
  volumePath?: string;
  label: string[];
  stopGrace?: number;
}

/** `orchestrator runtime ...` */
export function defineRuntime(noun: Command, run: Run): void {
  defineCreate(noun, run);

  noun
    .command("list")
    .description("the runtimes of a node")
    .option("-q, --quiet", "print names only, one a line", false)
    .action((flags: { quiet: boolean }) => withNode(run, (door, target) => list(run, door, target, flags)));

  noun
    .command("get <runtime>")
    .description("one runtime, with everything that is known of it")
    .action((name: string) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("getRuntime", { name }, { nodeId: target?.id });
        answer(run, capabilityNamed("getRuntime").method.output, response, () => describe(response.runtime));
      }),
    );

  for (const [verb, done] of [
    ["start", "runs"],
    ["stop", "is stopped, and stays so until it is started"],
    ["restart", "was restarted and runs"],
  ] as const) {
    waiting(noun.command(`${verb} <runtime>`))
      .description(
        verb === "stop" ? "stop a runtime; it stays stopped" : `${verb} a runtime and wait until it runs`,
      )
      .action((name: string, { wait }: WaitFlag) =>
        withNode(run, (door, target) =>
          change(run, door, target, `${verb}Runtime`, { name }, wait, () => `runtime ${name} ${done}\n`),
        ),
      );
  }

  waiting(noun.command("delete <runtime>"))
    .description("remove a runtime: its container, network and volume")
    .option("--keep-volume", "keep its volume for a later runtime of the same name", false)
    .option("-y, --yes", "do not ask", false)
    .action((name: string, { wait, keepVolume, yes }: WaitFlag & { keepVolume: boolean; yes: boolean }) =>
      withNode(run, async (door, target) => {
        const what = keepVolume ? "keeping its volume" : "and the data in its volume";
        await confirmed(run, yes, `Delete runtime ${name}${on(target)} ${what}?`);
        await change(run, door, target, "deleteRuntime", { name, keepVolume }, wait, ({ removed }) =>
          removed.map((one) => `removed ${one}\n`).join(""),
        );
      }),
    );
}

function defineCreate(noun: Command, run: Run): void {
  waiting(noun.command("create <name>"))
    .description("create a runtime, start it, and wait until it runs")
    .requiredOption("--image <reference>", "image to run, as in ghcr.io/owner/name:tag")
    .option("-e, --env <NAME=value>", "environment variable; may be given often", collect(pair), [])
    .option("--memory <size>", "memory limit: 512Mi, 2G, 512MB or bytes", checked(parseSize))
    .option("--cpuset <cpus>", "CPUs that it may run on, as in 0-1,3")
    .option("--pids <count>", "most processes and threads", checked(parseCount))
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
    .action((name: string, flags: CreateFlags) => {
      const request = requestOf(name, flags);
      validate(CreateRuntimeRequestSchema, request); // The same rules as at the node, before anything travels.
      return withNode(run, (door, target) =>
        change(run, door, target, "createRuntime", request, flags.wait, ({ runtime, created }) =>
          created
            ? `runtime ${name} runs\n${describe(runtime)}`
            : `runtime ${name} was there already, just like this\n`,
        ),
      );
    });
}

function requestOf(name: string, flags: CreateFlags) {
  const { memory, cpuset, pids } = flags;
  const limited = memory !== undefined || cpuset !== undefined || pids !== undefined;
  return create(CreateRuntimeRequestSchema, {
    spec: {
      name,
      image: flags.image,
      env: flags.env.map(split).map(([name, value]) => ({ name, value })),
      ...(limited && {
        resources: { memoryBytes: memory ?? 0n, cpuset: cpuset ?? "", pidsLimit: pids ?? 0n },
      }),
      profile: flags.profile === "plain" ? RuntimeProfile.PLAIN : RuntimeProfile.OPENPLC,
      stopGraceMs: flags.stopGrace ?? 0,
      ports: flags.publish,
      volumePath: flags.volumePath ?? "",
      labels: flags.label.map(split).map(([key, value]) => ({ key, value })),
    },
  });
}

async function list(run: Run, door: Door, target: Target, { quiet }: { quiet: boolean }): Promise<void> {
  const response = await door.ask("listRuntimes", {}, { nodeId: target?.id });
  answer(run, ListRuntimesResponseSchema, response, () => {
    if (quiet) return response.runtimes.map(({ spec }) => `${spec?.name}\n`).join("");
    if (response.runtimes.length === 0) return `no runtimes${on(target)}\n`;
    const { style, columns } = run.terminal;
    const now = run.clock.now();
    const phaseColumn = {
      title: "PHASE",
      paint: (cell: string) =>
        cell.startsWith("running") ? style.good(cell) : cell.startsWith("failed") ? style.bad(cell) : cell,
    };
    return table(
      [
        { title: "NAME" },
        phaseColumn,
        { title: "UP" },
        { title: "RESTARTS", right: true },
        { title: "PORTS" },
        { title: "IMAGE" },
        { title: "REASON" },
      ],
      response.runtimes.map((runtime) => [
        runtime.spec?.name ?? "",
        word(RuntimePhase, runtime.phase),
        runtime.phase === RuntimePhase.RUNNING ? ago(runtime.startedAt, now) : "",
        String(runtime.restarts),
        portsOf(runtime),
        runtime.spec?.image ?? "",
        runtime.reason,
      ]),
      { columns, bold: style.bold },
    );
  });
}

function describe(runtime: Runtime | undefined): string {
  const spec = runtime?.spec;
  if (!runtime || !spec) return "";
  const { resources } = spec;
  return sheet([
    ["name", spec.name],
    ["phase", word(RuntimePhase, runtime.phase)],
    ["reason", runtime.reason],
    ["image", spec.image],
    ["image id", runtime.imageId],
    ["container", runtime.containerId.slice(0, 12)],
    [
      "addresses",
      runtime.addresses.map(({ network, address, mac }) => `${address} (${network}, ${mac})`).join(", "),
    ],
    ["ports", portsOf(runtime)],
    ["profile", word(RuntimeProfile, spec.profile)],
    ["memory", resources?.memoryBytes ? formatBytes(resources.memoryBytes) : "no limit"],
    ["cpus", resources?.cpuset || "all"],
    ["env", spec.env.map((one) => one.name).join(", ")],
    ["labels", spec.labels.map(({ key, value }) => `${key}=${value}`).join(", ")],
    ["created", moment(runtime.createdAt)],
    ["started", moment(runtime.startedAt)],
    ["restarts", String(runtime.restarts)],
    ["exit code", runtime.exitCode === undefined ? "" : String(runtime.exitCode)],
  ]);
}

function portsOf({ spec }: Runtime): string {
  return (spec?.ports ?? [])
    .map(({ nodePort, runtimePort }) => `127.0.0.1:${nodePort}->${runtimePort}`)
    .join(", ");
}

/** Carries a changing command out and prints its response, or the id of the command that was left in the queue. */
async function change<C extends CommandCase>(
  run: Run,
  door: Door,
  target: Target,
  name: C,
  request: Omit<RequestOf<C>, "$typeName" | "$unknown">,
  wait: boolean,
  tell: (response: ResponseOf<C>) => string,
): Promise<void> {
  const outcome = await carryOut(run, door, target, name, request, { wait });
  if (outcome.is === "submitted") {
    const submitted = create(SubmitCommandResponseSchema, {
      command: { command: outcome.command, nodeId: target?.id ?? "" },
    });
    answer(run, SubmitCommandResponseSchema, submitted, () => `${outcome.command.id}\n`);
    return;
  }
  answer(run, capabilityNamed(name).method.output, outcome.response, () => tell(outcome.response));
}

function withNode(run: Run, work: (door: Door, target: Target) => Promise<void>): Promise<void> {
  return withDoor(run, async (door) => await work(door, await findTarget(run, door)));
}

function on(target: Target): string {
  return target === undefined ? "" : ` on node ${target.id}`;
}

function waiting(command: Command): Command {
  return command
    .option("--wait", "wait for the result (the default)", true)
    .option("--no-wait", "put the command into the node's queue and print its id");
}

function parsePorts(text: string) {
  const [, nodePort, runtimePort] = /^(\d{1,9}):(\d{1,9})$/.exec(text) ?? [];
  if (nodePort === undefined || runtimePort === undefined) {
    throw failure("invalid", "it must be the node's port, a colon and the runtime's port, as in 18443:8443");
  }
  return { nodePort: Number(nodePort), runtimePort: Number(runtimePort) };
}

function parseCount(text: string): bigint {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw failure("invalid", "it must be a whole number from 1");
  return BigInt(text);
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
