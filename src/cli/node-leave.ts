import { type Command, Option } from "commander";
import { RemoveNodeResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import {
  DecommissionResponseSchema,
  LeftWorkloads,
  type PlanDecommissionResponse,
} from "../../gen/edge/v1/node_pb.ts";
import { failure } from "../base/failure.ts";
import { answer } from "./answer.ts";
import { carryOut } from "./carry-out.ts";
import { confirmed } from "./confirm.ts";
import type { Door } from "./door.ts";
import { ProgressLine } from "./progress.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import { type Target, withNode } from "./target.ts";

interface LeaveFlags {
  keepWorkloads: boolean;
  purge: boolean;
  onlyHere?: boolean;
  yes: boolean;
}

/** How long the node's half may take when `--timeout` does not say, in milliseconds: a program may need its grace to end. */
const leaveMs = 10 * 60_000;

/** `orchestrator node remove` and `orchestrator node decommission`: the two ends of a node's way out of service. */
export function defineLeaving(noun: Command, run: Run): void {
  leaving(noun.command("remove <node>"))
    .description("take a node out of the fleet, and its workloads with it or not")
    .addOption(
      new Option("--only-here", "the machine is lost: forget it at the hub, and tell it nothing")
        .default(false)
        .conflicts(["keepWorkloads", "purge"]),
    )
    .addHelpText("after", "\nExample:\n  orchestrator node remove press-hall-7 --purge")
    .action(async (asked: string, flags: LeaveFlags) => {
      const workloads = chosen(flags);
      await withNode(run, (door, target) => remove(run, door, target, { ...flags, workloads }), asked);
    });

  leaving(noun.command("decommission"))
    .description("take this node out of service without its hub; only with --local")
    .addHelpText("after", "\nExample:\n  orchestrator node decommission --local --keep-workloads")
    .action(async (flags: LeaveFlags) => {
      const workloads = chosen(flags) ?? LeftWorkloads.KEEP;
      await withNode(run, (door, target) => decommission(run, door, target, { ...flags, workloads }));
    });
}

function leaving(command: Command): Command {
  return command
    .addOption(
      new Option("--keep-workloads", "its workloads go on, and are commanded at the node itself")
        .default(false)
        .conflicts("purge"),
    )
    .option("--purge", "remove its workloads, with their data", false)
    .option("-y, --yes", "do not ask", false);
}

async function remove(
  run: Run,
  door: Door,
  target: Target,
  { workloads, yes }: { workloads: LeftWorkloads | undefined; yes: boolean },
): Promise<void> {
  const onlyHere = workloads === undefined;
  const { id = "", host = "", connected = false } = target ?? {};
  const isAsked = connected && !onlyHere;
  if (isAsked) {
    tellPlan(run, await door.ask("planDecommission", { workloads }, { nodeId: id }), workloads);
  } else run.terminal.err(`${planOfAbsent(workloads)}\n`);
  await confirmed(
    run,
    yes,
    `Remove node ${id} (${printable(host)}) from the fleet? It must enrol anew to come back.`,
  );
  using line = new ProgressLine(run);
  if (isAsked) line.show("waiting for the node ...");
  const request = { id, workloads: workloads ?? LeftWorkloads.KEEP, onlyHere };
  const timeoutMs = run.flags.timeout ?? leaveMs;
  const response = await door.fleet.removeNode(request, { signal: run.signal, timeoutMs });
  answer(run, RemoveNodeResponseSchema, response, () => {
    const became = becameOf(workloads, response.nodeDone);
    return `${removedLines(response.removed)}node ${id} is out of the fleet${became}\n`;
  });
}

async function decommission(
  run: Run,
  door: Door,
  target: Target,
  { workloads, yes }: { workloads: LeftWorkloads; yes: boolean },
): Promise<void> {
  if (target !== undefined) {
    const sentence =
      "this works at the node itself: say --local there, or take it out of the fleet from here";
    throw failure("invalid", `${sentence} with \`orchestrator node remove\``);
  }
  const { nodeId } = await door.ask("getNode", {});
  const plan = await door.ask("planDecommission", { workloads });
  tellPlan(run, plan, workloads);
  await confirmed(run, yes, "Take this node out of service? It must enrol anew to come back.");
  const outcome = await carryOut(run, door, target, "decommission", { workloads }, { wait: true });
  if (outcome.is !== "answered") return;
  const { response } = outcome;
  const atHub =
    nodeId === "" ? "" : `; its hub is not told: there, \`orchestrator node remove ${nodeId} --only-here\``;
  answer(
    run,
    DecommissionResponseSchema,
    response,
    () => `${removedLines(response.removed)}this node is out of service${atHub}\n`,
  );
}

/** What becomes of the workloads; undefined when nobody is told. @throws {Failure} invalid: nobody said it. */
function chosen({ keepWorkloads, purge, onlyHere = false }: LeaveFlags): LeftWorkloads | undefined {
  if (onlyHere) return undefined;
  if (purge) return LeftWorkloads.PURGE;
  if (keepWorkloads) return LeftWorkloads.KEEP;
  throw failure(
    "invalid",
    "say what becomes of the node's workloads: --keep-workloads, or --purge, which removes them with their data",
  );
}

function tellPlan({ terminal }: Run, plan: PlanDecommissionResponse, workloads: LeftWorkloads): void {
  const { objects, runtimes, hubAddress } = plan;
  const lines = [
    ...(hubAddress === "" ? [] : [`the node leaves its hub at ${hubAddress}`]),
    ...(workloads === LeftWorkloads.PURGE
      ? [
          runtimes.length === 0 ? "it has no runtimes" : `these runtimes end: ${runtimes.join(", ")}`,
          ...(objects.length === 0
            ? []
            : ["these objects of its engine are removed, with all data in them:"]),
          ...objects.map((one) => `  ${one}`),
        ]
      : ["its workloads go on, and are commanded at the node itself"]),
  ];
  terminal.err(lines.map((line) => `${printable(line)}\n`).join(""));
}

function planOfAbsent(workloads: LeftWorkloads | undefined): string {
  if (workloads === undefined) return "the machine is told nothing: whatever runs there goes on";
  return workloads === LeftWorkloads.PURGE
    ? "the node is away: when it dials, it is told to remove its workloads with all their data, and to leave"
    : "the node is away: when it dials, it is told to leave; its workloads go on";
}

function becameOf(workloads: LeftWorkloads | undefined, nodeDone: boolean): string {
  if (workloads === undefined) return ", and was told nothing";
  if (workloads === LeftWorkloads.PURGE) {
    return nodeDone
      ? ", and its workloads are removed"
      : ". Its own half is outstanding: it removes its workloads when it dials";
  }
  return nodeDone
    ? "; its workloads go on, and are commanded at the node itself"
    : ". Its own half is outstanding: it forgets this hub when it dials; its workloads go on";
}

function removedLines(removed: readonly string[]): string {
  return removed.map((one) => `removed ${printable(one)}\n`).join("");
}
