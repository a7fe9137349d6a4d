import type { Command } from "commander";
import {
  CreateOperatorTokenResponseSchema,
  ListOperatorTokensResponseSchema,
  RevokeOperatorTokenResponseSchema,
  Role,
} from "../../gen/edge/v1/fleet_pb.ts";
import { ago, answer, moment, word } from "./answer.ts";
import { withDoor } from "./door.ts";
import { duration } from "./flags.ts";
import type { Run } from "./run.ts";
import { rows } from "./table.ts";

const roles = { viewer: Role.VIEWER, operator: Role.OPERATOR, admin: Role.ADMIN } as const;

interface CreateFlags {
  role: keyof typeof roles;
  validFor: number;
  tenant: string;
}

/** `orchestrator hub operator ...` */
export function defineOperator(noun: Command, run: Run): void {
  noun
    .command("create <name>")
    .description("make an operator token and print it; it is shown this once")
    .addOption(
      noun
        .createOption(
          "--role <role>",
          "viewers read, operators command nodes, admins let nodes and operators in",
        )
        .choices(Object.keys(roles))
        .makeOptionMandatory(),
    )
    .option("--valid-for <duration>", "how long it is good; for ever when not given", duration, 0)
    .option("--tenant <tenant>", "bind it to a tenant: it sees and commands nothing else", "")
    .action((name: string, { role, validFor, tenant }: CreateFlags) =>
      withDoor(run, async (door) => {
        const request = { name, role: roles[role], tenant, validForMs: BigInt(validFor) };
        const response = await door.fleet.createOperatorToken(request, { signal: run.signal });
        answer(run, CreateOperatorTokenResponseSchema, response, () => `${response.token}\n`);
        if (!run.flags.json) {
          run.terminal.err(
            "Keep it in a file that only its user can read; name the file with --token-file.\n",
          );
        }
      }),
    );

  noun
    .command("list")
    .description("operator tokens, newest first")
    .action(() =>
      withDoor(run, async (door) => {
        const response = await door.fleet.listOperatorTokens({}, { signal: run.signal });
        const now = run.clock.now();
        answer(run, ListOperatorTokensResponseSchema, response, () =>
          rows(
            run.terminal,
            ["ID", "NAME", "ROLE", "TENANT", "MADE", "GOOD UNTIL", "LAST USED"],
            response.tokens.map((one) => [
              one.id,
              one.name,
              word(Role, one.role),
              one.tenant,
              `${ago(one.createdAt, now)} ago`,
              moment(one.expiresAt) || "for ever",
              moment(one.usedAt) || "never",
            ]),
            "no operator tokens",
          ),
        );
      }),
    );

  noun
    .command("revoke <id>")
    .description("make an operator token worthless")
    .action((id: string) =>
      withDoor(run, async (door) => {
        const response = await door.fleet.revokeOperatorToken({ id }, { signal: run.signal });
        answer(
          run,
          RevokeOperatorTokenResponseSchema,
          response,
          () => `operator token ${id} is worthless now\n`,
        );
      }),
    );
}
