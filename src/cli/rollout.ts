import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  GetRolloutResponseSchema,
  ListRolloutsResponseSchema,
  RolloutState,
} from "../../gen/edge/v1/rollouts_pb.ts";
import { answer } from "./answer.ts";
import { confirmed } from "./confirm.ts";
import { type Door, withDoor } from "./door.ts";
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

  const order = (name: string, what: Order, description: string) =>
    noun
      .command(`${name} <rollout>`)
      .description(description)
      .action((id: string) => withDoor(run, (door) => give(run, door, what, id)));

  order("pause", "pauseRollout", "begin no further node until it is resumed; those in work go on");
  order("resume", "resumeRollout", "go on with a rollout that is paused");
  order(
    "abort",
    "cancelRollout",
    "begin no further batch, and call off commands that no node has; what is done stays",
  ).alias("cancel");

  noun
    .command("rollback <rollout>")
    .description(
      "bring back what each node had before it, under way or after its end; exits with 0 when all have it",
    )
    .option("--no-wait", "begin it, and do not follow")
    .option("-y, --yes", "do not ask", false)
    .action((id: string, { wait, yes }: { wait: boolean; yes: boolean }) =>
      withDoor(run, async (door) => {
        await confirmed(run, yes, `Bring back what the nodes of ${id} had before it?`);
        if (!wait) return await give(run, door, "rollBackRollout", id);
        await door.rollouts.rollBackRollout({ id }, { signal: run.signal });
        await followRollout(run, door, id, RolloutState.ROLLED_BACK);
      }),
    );
}

/** What an operator can tell a rollout. */
type Order = "cancelRollout" | "pauseRollout" | "resumeRollout" | "rollBackRollout";

/** Tells a rollout something, and how it is then. */
async function give(run: Run, door: Door, what: Order, id: string): Promise<void> {
  const { rollout } = await door.rollouts[what]({ id }, { signal: run.signal });
  const response = create(GetRolloutResponseSchema, rollout ? { rollout } : {});
  answer(run, GetRolloutResponseSchema, response, () =>
    rollout ? describeRollout(rollout, run.terminal) : "",
  );
}
