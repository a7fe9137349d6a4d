import type { Command } from "commander";
import { Spoken } from "./complain.ts";
import { loadCliSettings } from "./config.ts";
import { type Finding, gather, judge } from "./doctor/index.ts";
import { doorsOf } from "./doctor-doors.ts";
import { doctorMany } from "./doctor-many.ts";
import { withDoor } from "./door.ts";
import { isForMany, type ManyFlags, withManyFlags } from "./many-nodes.ts";
import { findNetmon } from "./netmon.ts";
import { ProgressLine } from "./progress.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import type { Style } from "./terminal.ts";

interface DoctorFlags {
  parent?: string;
  netmonSocket?: string;
  offline: boolean;
  providers?: boolean;
}

/** `orchestrator doctor` */
export function defineDoctor(program: Command, run: Run): void {
  withManyFlags(program.command("doctor"))
    .description(
      "what of this machine, or of many nodes, stands in the way of workloads; exits with 1 when something fails",
    )
    .option(
      "--parent <interface>",
      "try whether its LAN takes other MACs: asks the gateway by ARP, three times at most",
    )
    .option("--offline", "leave out the way to the hub: then nothing leaves this machine", false)
    .option("--providers", "knock at the providers of language models, too", false)
    .option("--netmon-socket <path>", "netmon's socket")
    .addHelpText("after", "\nExamples:\n  orchestrator doctor\n  orchestrator doctor --all")
    .action(async (flags: DoctorFlags & ManyFlags) => {
      if (isForMany(flags)) return await withDoor(run, (door) => doctorMany(run, door, flags));
      const findings = await examine(run, flags);
      const { terminal } = run;
      terminal.out(
        run.flags.json
          ? `${JSON.stringify({ findings }, null, 2)}\n`
          : `${findings.map((one) => inWords(one, terminal.style)).join("")}${summary(findings)}`,
      );
      if (findings.some(({ level }) => level === "fail")) throw new Spoken();
    });
}

/** Looks at this machine and judges what was seen. */
export async function examine(run: Run, flags: DoctorFlags): Promise<Finding[]> {
  using progress = new ProgressLine(run);
  const onLooked = (done: number, all: number) => progress.show(`looking at this machine: ${done} of ${all}`);
  const dataDir = (await loadCliSettings({}, run.flags.config, run))["daemon.data_dir"];
  const netmonSocket = await findNetmon(run, flags.netmonSocket);
  return judge(await gather(run, doorsOf(run, netmonSocket), { ...flags, dataDir, netmonSocket, onLooked }));
}

const indent = " ".repeat(25);

function inWords({ check, level, says, why, next }: Finding, style: Style): string {
  const paint = { ok: style.good, warn: style.bold, fail: style.bad, unknown: style.bold }[level];
  const line = `${paint(level.padEnd(7))}  ${check.padEnd(14)}  ${printable(says)}\n`;
  if (level === "ok") return line;
  return `${line}${indent}${printable(why)}\n${next === "" ? "" : `${indent}-> ${printable(next)}\n`}`;
}

function summary(findings: readonly Finding[]): string {
  const count = (level: Finding["level"]) => findings.filter((one) => one.level === level).length;
  return `${findings.length} checks: ${count("ok")} ok, ${count("warn")} to know of, ${count("fail")} failed, ${count("unknown")} unknown\n`;
}
