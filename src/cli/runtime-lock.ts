import type { Command } from "commander";
import { tellLocks } from "../wire/locks.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import { duration } from "./flags.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import { withNode } from "./target.ts";

interface LockingFlags extends WaitFlag {
  reason?: string;
  for?: number;
}

/** `orchestrator runtime lock` and `unlock` */
export function defineLock(noun: Command, run: Run): void {
  waiting(noun.command("lock <runtime>"))
    .description("keep a runtime from being stopped, restarted, updated or deleted, in your name")
    .option("--reason <text>", "why, for others")
    .option("--for <duration>", "for how long, as in 2h; until it is unlocked when not given", duration)
    .addHelpText("after", '\nExample: orchestrator runtime lock plc1 --reason "filling tank 3" --for 2h\n')
    .action((name: string, { wait, reason = "", for: forMs = 0 }: LockingFlags) =>
      withNode(run, async (door, target) => {
        const request = { name, reason, forMs: BigInt(forMs) };
        await change(run, door, target, "lockRuntime", request, wait, ({ runtime }) => {
          return `runtime ${name} is locked ${printable(tellLocks(runtime?.locks ?? []))}\n`;
        });
      }),
    );

  waiting(noun.command("unlock <runtime>"))
    .description("take the locks of all operators away; maintenance windows and lock files stay")
    .addHelpText("after", "\nExample: orchestrator runtime unlock plc1\n")
    .action((name: string, { wait }: WaitFlag) =>
      withNode(run, async (door, target) => {
        await change(run, door, target, "unlockRuntime", { name }, wait, ({ runtime }) => {
          const left = runtime?.locks ?? [];
          const what =
            left.length === 0 ? "is not locked any more" : `is still locked ${printable(tellLocks(left))}`;
          return `runtime ${name} ${what}\n`;
        });
      }),
    );
}
