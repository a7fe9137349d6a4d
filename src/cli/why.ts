import type { Command } from "commander";
import { EventSchema } from "../../gen/edge/v1/events_pb.ts";
import { GetRuntimeResponseSchema } from "../../gen/edge/v1/runtimes_pb.ts";
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
        const response = await door.ask("getRuntime", { name }, { nodeId: target?.id });
        const story = await storyOf(run, door, target, { name, last });
        answerLine(run, GetRuntimeResponseSchema, response, () => reasonsOf(response.runtime));
        for (const { event, actor } of story) {
          answerLine(run, EventSchema, event, () => eventLine(event, { actor }));
        }
      }),
    );
}
