import type { Command } from "commander";
import { Spoken } from "./complain.ts";
import { loadCliSettings } from "./config.ts";
import { askDaemon, askEngine, askNetmon, tryParent } from "./doctor-doors.ts";
import type { Facts } from "./doctor-facts.ts";
import type { Finding } from "./doctor-finding.ts";
import { judge } from "./doctor-judge.ts";
import {
  findHypervisor,
  lookAtDisk,
  missingCapabilities,
  missingPrograms,
  tryKernel,
} from "./doctor-machine.ts";
import { findNetmon } from "./netmon.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import type { Style } from "./terminal.ts";

/** `orchestrator doctor` */
export function defineDoctor(program: Command, run: Run): void {
  program
    .command("doctor")
    .description(
      "what of this machine stands in the way of runtimes and their vNICs; exits with 1 when something fails",
    )
    .option(
      "--parent <interface>",
      "try whether its LAN takes other MACs: asks the gateway by ARP, three times at most",
    )
    .option("--netmon-socket <path>", "netmon's socket")
    .action(async ({ parent, netmonSocket }: { parent?: string; netmonSocket?: string }) => {
      const findings = judge(await gather(run, parent, await findNetmon(run, netmonSocket)));
      const { flags, terminal } = run;
      terminal.out(
        flags.json
          ? `${JSON.stringify({ findings }, null, 2)}\n`
          : findings.map((one) => inWords(one, terminal.style)).join(""),
      );
      if (findings.some(({ level }) => level === "fail")) throw new Spoken();
    });
}

async function gather(run: Run, parent: string | undefined, netmonSocket: string): Promise<Facts> {
  const settings = await loadCliSettings({}, run.flags.config, run);
  const [daemon, netmon, missing, links, disk, capabilities, hypervisor, tried] = await Promise.all([
    askDaemon(run),
    askNetmon(netmonSocket, run.signal),
    missingPrograms(run.env),
    tryKernel(),
    lookAtDisk(settings["daemon.data_dir"]),
    missingCapabilities(),
    findHypervisor(),
    parent === undefined ? undefined : tryParent(netmonSocket, parent, run.signal),
  ]);
  const node = daemon.is === "known" ? daemon.value : undefined;
  const usual = run.env.ORCHESTRATOR_DOCKER_HOST || run.env.DOCKER_HOST || "unix:///var/run/docker.sock";
  const offset = node?.clock?.hubOffsetMs;
  return {
    ...{ daemon, netmon, links, disk, hypervisor },
    // A daemon in a container knows its engine by a path that is not there for us.
    engine: node?.engine?.reachable
      ? { is: "known", value: { version: node.engine.version, host: node.engine.host } }
      : await askEngine(node?.engine?.host || usual),
    missingPrograms: missing,
    missingCapabilities: capabilities,
    nowMs: run.clock.now(),
    hubOffsetMs: offset === undefined ? undefined : Number(offset),
    parent: parent !== undefined && tried ? { name: parent, tried } : undefined,
  };
}

function inWords({ check, level, says, next }: Finding, style: Style): string {
  const paint = { ok: style.good, warn: style.bold, fail: style.bad }[level];
  const line = `${paint(level.padEnd(4))}  ${check.padEnd(14)}  ${printable(says)}\n`;
  return next === "" ? line : `${line}${" ".repeat(22)}${printable(next)}\n`;
}
