import type { Command } from "commander";
import { GetRuntimeResponseSchema, ListRuntimesResponseSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { answer } from "./answer.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import { confirmed } from "./confirm.ts";
import type { Door } from "./door.ts";
import { type OverrideFlag, overriding } from "./lock-flags.ts";
import type { Run } from "./run.ts";
import { defineCreate } from "./runtime-create.ts";
import { defineInvoke } from "./runtime-invoke.ts";
import { defineLock } from "./runtime-lock.ts";
import { defineLogs } from "./runtime-logs.ts";
import { defineStats } from "./runtime-stats.ts";
import { describeRuntime, saidOf, tableOfRuntimes } from "./runtime-tell.ts";
import { defineUpdate } from "./runtime-update.ts";
import { type Target, withNode } from "./target.ts";
import { describeVnics } from "./vnic-tell.ts";

interface DeleteFlags extends WaitFlag, OverrideFlag {
  keepVolume: boolean;
  yes: boolean;
}

/** `orchestrator runtime ...` */
export function defineRuntime(noun: Command, run: Run): void {
  defineCreate(noun, run);
  defineUpdate(noun, run);
  defineInvoke(noun, run);
  defineLock(noun, run);
  defineLogs(noun, run);
  defineStats(noun, run);

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
        answer(run, GetRuntimeResponseSchema, response, () => describeRuntime(response.runtime));
      }),
    );

  noun
    .command("net <runtime>")
    .description("the vNICs of a runtime: parent, address, lease, since when, and why not")
    .action((name: string) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("getRuntime", { name }, { nodeId: target?.id });
        answer(run, GetRuntimeResponseSchema, response, () =>
          describeVnics(response.runtime, run.clock.now()),
        );
      }),
    );

  waiting(noun.command("start <runtime>"))
    .description("start a runtime and wait until it runs")
    .action((name: string, { wait }: WaitFlag) =>
      withNode(run, async (door, target) => {
        await change(run, door, target, "startRuntime", { name }, wait, ({ runtime }) => {
          return `runtime ${name} ${saidOf(runtime, "runs")}\n`;
        });
      }),
    );

  for (const [verb, done, description] of [
    ["stop", "is stopped, and stays so until it is started", "stop a runtime; it stays stopped"],
    ["restart", "was restarted and runs", "restart a runtime and wait until it runs"],
  ] as const) {
    overriding(waiting(noun.command(`${verb} <runtime>`)))
      .description(description)
      .action((name: string, { wait, overrideLock }: WaitFlag & OverrideFlag) =>
        withNode(run, async (door, target) => {
          await change(run, door, target, `${verb}Runtime`, { name, overrideLock }, wait, ({ runtime }) => {
            return `runtime ${name} ${saidOf(runtime, done)}\n`;
          });
        }),
      );
  }

  overriding(waiting(noun.command("delete <runtime>")))
    .description("remove a runtime: its container, network and volume")
    .option("--keep-volume", "keep its volume for a later runtime of the same name", false)
    .option("-y, --yes", "do not ask", false)
    .action((name: string, { wait, keepVolume, yes, overrideLock }: DeleteFlags) =>
      withNode(run, async (door, target) => {
        const what = keepVolume ? "keeping its volume" : "and the data in its volume";
        await confirmed(run, yes, `Delete runtime ${name}${on(target)} ${what}?`);
        const request = { name, keepVolume, overrideLock };
        await change(run, door, target, "deleteRuntime", request, wait, ({ removed }) =>
          removed.map((one) => `removed ${one}\n`).join(""),
        );
      }),
    );
}

async function list(run: Run, door: Door, target: Target, { quiet }: { quiet: boolean }): Promise<void> {
  const response = await door.ask("listRuntimes", {}, { nodeId: target?.id });
  const { runtimes } = response;
  answer(run, ListRuntimesResponseSchema, response, () => {
    if (quiet) return runtimes.map(({ spec }) => `${spec?.name}\n`).join("");
    if (runtimes.length === 0) return `no runtimes${on(target)}\n`;
    return tableOfRuntimes(runtimes, run.terminal, run.clock.now());
  });
}

function on(target: Target): string {
  return target === undefined ? "" : ` on node ${target.id}`;
}
