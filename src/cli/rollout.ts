import type { Command } from "commander";
import {
  CancelRolloutResponseSchema,
  GetRolloutResponseSchema,
  ListRolloutsResponseSchema,
} from "../../gen/edge/v1/rollouts_pb.ts";
import { answer } from "./answer.ts";
import { withDoor } from "./door.ts";
import { whole } from "./flags.ts";
import { followRollout } from "./rollout-follow.ts";
import { describeRollout, tableOfRollouts } from "./rollout-tell.ts";
import type { Run } from "./run.ts";

/** `orchestrator rollout ...`; `orchestrator apply` begins them. */
export function defineRollout(noun: Command, run: Run): void {
  noun.addHelpText(
    "after",
    "\nOne is begun with: orchestrator apply -f plant.yaml --selector site=graz --batch 10%",
  );

  noun
    .command("list")
    .description("rollouts, newest first")
    .option("--limit <count>", "at most this many", whole(1, 1000), 20)
    .action(({ limit }: { limit: number }) =>
      withDoor(run, async (door) => {
        const response = await door.rollouts.listRollouts({ limit }, { signal: run.signal });
        answer(run, ListRolloutsResponseSchema, response, () =>
          tableOfRollouts(response.rollouts, run.terminal, run.clock.now()),
        );
      }),
    );

  noun
    .command("get <rollout>")
    .description("one rollout, with what became of each node")
    .action((id: string) =>
      withDoor(run, async (door) => {
        const response = await door.rollouts.getRollout({ id }, { signal: run.signal });
        const { rollout } = response;
        answer(run, GetRolloutResponseSchema, response, () =>
          rollout ? describeRollout(rollout, run.terminal) : "",
        );
      }),
    );

  noun
    .command("watch <rollout>")
    .description("how far a rollout is, until its end; exits with 0 only when it succeeded")
    .action((id: string) => withDoor(run, (door) => followRollout(run, door, id)));

  noun
    .command("cancel <rollout>")
    .description("begin no further batch, and call off commands that no node has; what is done stays")
    .action((id: string) =>
      withDoor(run, async (door) => {
        const response = await door.rollouts.cancelRollout({ id }, { signal: run.signal });
        const { rollout } = response;
        answer(run, CancelRolloutResponseSchema, response, () =>
          rollout ? describeRollout(rollout, run.terminal) : "",
        );
      }),
    );
}
