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
import type { Run } from "./run.ts";
import { rows } from "./table.ts";

interface CreateFlags {
  validFor: number;
  note: string;
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
    .action(({ validFor, note }: CreateFlags) =>
      withDoor(run, async (door) => {
        const request = { validForMs: BigInt(validFor), note };
        const response = await door.fleet.createEnrolmentToken(request, { signal: run.signal });
        // The token alone on standard output, so that it can be piped into `daemon enroll --token -`.
        answer(run, CreateEnrolmentTokenResponseSchema, response, () => `${response.token}\n`);
        if (run.flags.json) return;
        run.terminal.err(
          `Good for one node until ${moment(response.record?.expiresAt)}. On that machine:\n` +
            "  orchestrator daemon enroll --token -   (and paste the token)\n",
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
            ["ID", "MADE", "GOOD UNTIL", "USED BY", "NOTE"],
            response.tokens.map((one) => [
              one.id,
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

  defineOperator(
    noun.command("operator").description("who may use the hub's API, and how far").helpCommand(false),
    run,
  );
}
