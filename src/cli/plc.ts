import type { Command } from "commander";
import { formatDuration } from "../base/quantity.ts";
import { plcFigures, startPlc, stopPlc } from "./plc-core.ts";
import { type LoginFlags, openPlc, type PlcSession } from "./plc-session.ts";
import { readProgram, uploadProgram } from "./plc-upload.ts";
import type { Run } from "./run.ts";
import { sheet } from "./table.ts";
import { withNode } from "./target.ts";

/** `orchestrator plc ...`: what OpenPLC's runtime v4 offers over HTTP, through `runtime invoke`. */
export function definePlc(noun: Command, run: Run): void {
  withLogin(noun.command("upload <runtime> <file>"))
    .description("upload a program, wait until it is built, and run it")
    .action(async (runtime: string, file: string, flags: LoginFlags) => {
      const program = await readProgram(file, run);
      await withPlc(run, runtime, flags, async (plc) => {
        const built = await uploadProgram(run, plc, program);
        const took = formatDuration(built.tookMs);
        print(run, built, () => `runtime ${runtime} runs ${program.name}, built in ${took}\n`);
      });
    });

  for (const [verb, carryOut, done] of [
    ["start", startPlc, "runs its program"],
    ["stop", stopPlc, "has stopped its program; the runtime itself still runs"],
  ] as const) {
    withLogin(noun.command(`${verb} <runtime>`))
      .description(`${verb} the program of a runtime`)
      .action((runtime: string, flags: LoginFlags) =>
        withPlc(run, runtime, flags, async (plc) => {
          await carryOut(plc);
          print(run, { done: verb }, () => `runtime ${runtime} ${done}\n`);
        }),
      );
  }

  withLogin(noun.command("status <runtime>"))
    .description("what the program of a runtime does, and how its scan cycle fares")
    .action((runtime: string, flags: LoginFlags) =>
      withPlc(run, runtime, flags, async (plc) => {
        const { state, timing } = await plcFigures(plc);
        const { version } = plc;
        print(run, { version, state, timing }, () =>
          sheet([
            ["version", version],
            ["program", state.toLowerCase()],
            ...Object.entries(timing).map(([name, value]) => [inWords(name), String(value)] as const),
          ]),
        );
      }),
    );
}

function withLogin(command: Command): Command {
  return command
    .option("--user <name>", "who logs in at the runtime; else PLC_USER of the environment")
    .option("--password-file <path>", "file that holds the password; else PLC_PASSWORD of the environment")
    .option("--trust-new-certificate", "the runtime may show another certificate than before", false);
}

async function withPlc(
  run: Run,
  runtime: string,
  flags: LoginFlags,
  work: (plc: PlcSession) => Promise<void>,
): Promise<void> {
  await withNode(run, async (door, target) => {
    await work(await openPlc(run, { door, target, runtime }, flags));
  });
}

/** These are no messages of our contract: programs get them as plain JSON. */
function print({ flags, terminal }: Run, value: object, tell: () => string): void {
  terminal.out(flags.json ? `${JSON.stringify(value, null, 2)}\n` : tell());
}

/** `scan_time_avg` is `scan time avg, us`; counts have no unit. */
function inWords(name: string): string {
  const unit = /_(min|max|avg)$/.test(name) ? ", us" : "";
  return `${name.replaceAll("_", " ")}${unit}`;
}
