import type { Command } from "commander";
import {
  CreateEnrolmentTokenResponseSchema,
  ListEnrolmentTokensResponseSchema,
  RevokeEnrolmentTokenResponseSchema,
} from "../../gen/edge/v1/fleet_pb.ts";
import { ago, answer, moment } from "./answer.ts";
import { withDoor } from "./door.ts";
import { duration } from "./flags.ts";
import { defineOperator } from "./operator.ts";
import { defineRoot } from "./root.ts";
import type { Run } from "./run.ts";
import { rows } from "./table.ts";

interface CreateFlags {
  validFor: number;
  tenant: string;
  note: string;
  forNode: string;
}

/** `orchestrator hub ...`, but for `hub start`, which is a program of its own. */
export function defineHub(noun: Command, run: Run): void {
  const token = noun
    .command("token")
    .description("one-time tokens that let a node into the fleet")
    .helpCommand(false);

  token
    .command("create")
    .description("make a token and print it; it is shown this once")
    .option("--valid-for <duration>", "how long it is good; 15 minutes when not given", duration, 0)
    .option("--note <text>", "what it is for, for people", "")
    .option("--tenant <tenant>", "the tenant that the node will belong to", "")
    .option("--for-node <id>", "let this node of the fleet in again, under its own id", "")
    .action(({ validFor, note, forNode: nodeId, tenant }: CreateFlags) =>
      withDoor(run, async (door) => {
        const request = { validForMs: BigInt(validFor), note, nodeId, tenant };
        const response = await door.fleet.createEnrolmentToken(request, { signal: run.signal });
        // The token alone on standard output, so that it can be piped into `daemon enroll --token -`.
        answer(run, CreateEnrolmentTokenResponseSchema, response, () => `${response.token}\n`);
        if (run.flags.json) return;
        run.terminal.err(
          `Good for ${nodeId === "" ? "one node" : `node ${nodeId}`} until ${moment(response.record?.expiresAt)}. On that machine:\n` +
            `  orchestrator daemon enroll ${nodeId === "" ? "" : "--force "}--token -   (and paste the token)\n`,
        );
      }),
    );

  token
    .command("list")
    .description("tokens that are not yet forgotten, newest first")
    .action(() =>
      withDoor(run, async (door) => {
        const response = await door.fleet.listEnrolmentTokens({}, { signal: run.signal });
        const now = run.clock.now();
        answer(run, ListEnrolmentTokensResponseSchema, response, () =>
          rows(
            run.terminal,
            ["ID", "FOR", "MADE", "GOOD UNTIL", "USED BY", "NOTE"],
            response.tokens.map((one) => [
              one.id,
              one.nodeId || "a new node",
              `${ago(one.createdAt, now)} ago`,
              moment(one.expiresAt),
              one.usedBy,
              one.note,
            ]),
            "no tokens",
          ),
        );
      }),
    );

  token
    .command("revoke <id>")
    .description("make an unused token worthless")
    .action((id: string) =>
      withDoor(run, async (door) => {
        const response = await door.fleet.revokeEnrolmentToken({ id }, { signal: run.signal });
        answer(run, RevokeEnrolmentTokenResponseSchema, response, () => `token ${id} is worthless now\n`);
      }),
    );

  defineRoot(noun.command("ca").description("the roots that this fleet trusts").helpCommand(false), run);
  defineOperator(
    noun.command("operator").description("who may use the hub's API, and how far").helpCommand(false),
    run,
  );
}
