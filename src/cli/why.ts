import type { Command } from "commander";
import { EventSchema } from "../../gen/edge/v1/events_pb.ts";
import { GetRuntimeResponseSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { Failure } from "../base/failure.ts";
import { fromConnectError } from "../wire/failures.ts";
import { answerLine } from "./answer.ts";
import { eventLine } from "./events-tell.ts";
import { whole } from "./flags.ts";
import type { Run } from "./run.ts";
import { looked, storyOf } from "./story.ts";
import { withNode } from "./target.ts";
import { reasonsOf } from "./why-now.ts";

interface WhyFlags {
  last: number;
}

/** `orchestrator why <runtime>` */
export function defineWhy(program: Command, run: Run): void {
  program
    .command("why <runtime>")
    .description("why a runtime, its vNICs and devices are as they are, and what happened to them")
    .option("--last <count>", "at most this many of its newest events", whole(0, looked), 20)
    .action((name: string, { last }: WhyFlags) =>
      withNode(run, async (door, target) => {
        const asked = door.ask("getRuntime", { name }, { nodeId: target?.id });
        const answered = await asked.catch(notThere);
        const story = await storyOf(run, door, target, { name, last });
        // One that is gone has its story all the same; of one that never was there is none.
        if (!(answered instanceof Failure)) {
          answerLine(run, GetRuntimeResponseSchema, answered, () => reasonsOf(answered.runtime));
        } else if (story.length === 0) throw answered;
        else run.terminal.err(`there is no runtime ${name} any more\n`);
        for (const { event, actor } of story) {
          answerLine(run, EventSchema, event, () => eventLine(event, { actor }));
        }
      }),
    );
}

/** That there is no such runtime is an answer; anything else is thrown as it was. */
function notThere(thrown: unknown): Failure {
  const told = fromConnectError(thrown);
  if (told.kind !== "not_found") throw thrown;
  return told;
}
