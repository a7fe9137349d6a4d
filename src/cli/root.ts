import type { Command } from "commander";
import {
  ListRootsResponseSchema,
  RetireRootResponseSchema,
  type Root,
  RotateRootResponseSchema,
} from "../../gen/edge/v1/authority_pb.ts";
import { ago, answer, moment } from "./answer.ts";
import { confirmed } from "./confirm.ts";
import { withDoor } from "./door.ts";
import type { Run } from "./run.ts";
import { printable, rows } from "./table.ts";

interface RetireFlags {
  force: boolean;
  yes: boolean;
}

/** `orchestrator hub ca ...` */
export function defineRoot(noun: Command, run: Run): void {
  noun
    .command("list")
    .description("the roots of this fleet, newest first, and how many nodes hold certificates of each")
    .option("--pem", "print those that are trusted, as PEM: for --ca-file of who calls this hub", false)
    .addHelpText("after", "\nExample:\n  orchestrator hub ca list --pem > roots.pem")
    .action(({ pem }: { pem: boolean }) =>
      withDoor(run, async (door) => {
        const response = await door.authority.listRoots({}, { signal: run.signal });
        const trusted = response.roots.filter(({ retiredAt }) => !retiredAt);
        const now = run.clock.now();
        answer(run, ListRootsResponseSchema, response, () =>
          pem
            ? trusted.map(({ certificatePem }) => certificatePem).join("")
            : rows(
                run.terminal,
                ["ID", "STATE", "NODES", "MADE", "GOOD UNTIL"],
                response.roots.map((one) => [
                  one.id,
                  stateOf(one),
                  one.retiredAt ? "" : String(one.nodes),
                  `${ago(one.madeAt, now)} ago`,
                  moment(one.expiresAt),
                ]),
                "no roots",
              ),
        );
      }),
    );

  noun
    .command("rotate")
    .description("make a new root beside the present one; each node goes over to it when it is connected")
    .option("-y, --yes", "do not ask", false)
    .addHelpText("after", "\nExample:\n  orchestrator hub ca rotate")
    .action(({ yes }: { yes: boolean }) =>
      withDoor(run, async (door) => {
        await confirmed(run, yes, "Make a new root? Every node gets a new certificate and trusts both.");
        const response = await door.authority.rotateRoot({}, { signal: run.signal });
        answer(
          run,
          RotateRootResponseSchema,
          response,
          () => `root ${response.root?.id} signs the certificates of nodes now\n`,
        );
        if (run.flags.json) return;
        run.terminal.err("When `orchestrator hub ca list` shows no node at the old one, retire that.\n");
      }),
    );

  noun
    .command("retire <id>")
    .description("end an old root: what it signed is refused")
    .option("--force", "leave behind the nodes that hold certificates of it: they must enrol anew", false)
    .option("-y, --yes", "do not ask", false)
    .addHelpText("after", "\nExample:\n  orchestrator hub ca retire 5d3a1f0c9e7b2468")
    .action((id: string, { force, yes }: RetireFlags) =>
      withDoor(run, async (door) => {
        await confirmed(run, yes, `Retire root ${printable(id)}? What it signed is good for nothing then.`);
        const response = await door.authority.retireRoot({ id, force }, { signal: run.signal });
        answer(run, RetireRootResponseSchema, response, () => {
          const left = response.leftBehind.map((node) => `left behind: ${printable(node)}\n`).join("");
          return `${left}root ${printable(id)} is retired\n`;
        });
      }),
    );
}

function stateOf({ retiredAt, signsNodes, signsHub }: Root): string {
  if (retiredAt) return `retired ${moment(retiredAt)}`;
  if (signsNodes && signsHub) return "in use";
  return signsNodes ? "new: signs nodes" : "old: signs the hub";
}
