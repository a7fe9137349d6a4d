import type { Command } from "commander";
import { RevokeNodeResponseSchema } from "../../gen/edge/v1/fleet_pb.ts";
import { answer } from "./answer.ts";
import { confirmed } from "./confirm.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";
import { withNode } from "./target.ts";

/** `orchestrator node revoke` */
export function defineRevoke(noun: Command, run: Run): void {
  noun
    .command("revoke <node>")
    .description("make all certificates of a node worthless: its disk was copied, or its machine is lost")
    .option("-y, --yes", "do not ask", false)
    .addHelpText("after", "\nExample:\n  orchestrator node revoke press-hall-7")
    .action((asked: string, { yes }: { yes: boolean }) =>
      withNode(
        run,
        async (door, target) => {
          const { id = "", host = "" } = target ?? {};
          const question = `Revoke the certificates of node ${id} (${printable(host)})? It must enrol anew to come back.`;
          await confirmed(run, yes, question);
          const response = await door.fleet.revokeNode({ id }, { signal: run.signal });
          answer(
            run,
            RevokeNodeResponseSchema,
            response,
            () => `the certificates of node ${id} are worthless now\n`,
          );
          if (run.flags.json) return;
          run.terminal.err(
            `Its workloads go on. To let it in again as itself: orchestrator hub token create --for-node ${id}\n`,
          );
        },
        asked,
      ),
    );
}
