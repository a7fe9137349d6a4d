import type { Command } from "commander";
import { GetAgentResponseSchema } from "../../gen/edge/v1/agents_pb.ts";
import { EventSchema } from "../../gen/edge/v1/events_pb.ts";
import { GetRuntimeResponseSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { GetTaskResponseSchema } from "../../gen/edge/v1/tasks_pb.ts";
import { failure } from "../base/failure.ts";
import { fromConnectError } from "../wire/failures.ts";
import { answerLine } from "./answer.ts";
import { type Door, withDoor } from "./door.ts";
import { eventLine } from "./events-tell.ts";
import { whole } from "./flags.ts";
import { isForMany, type ManyFlags, withManyFlags } from "./many-nodes.ts";
import type { Run } from "./run.ts";
import { type About, type Happening, looked, storyOf } from "./story.ts";
import { type Target, withNode } from "./target.ts";
import { asked } from "./task-watch.ts";
import { reasonsOfAgent, reasonsOfTask } from "./why-agents.ts";
import { whyMany } from "./why-many.ts";
import { reasonsOf } from "./why-now.ts";

/** Something that bears the name, with what tells why it is as it is. */
interface Found {
  about: About;
  tell(): void;
}

/** `orchestrator why <name>` */
export function defineWhy(program: Command, run: Run): void {
  withManyFlags(program.command("why <workload>"))
    .description(
      "why a runtime, an agent or a task is as it is, and what happened to it; of many nodes, where it is",
    )
    .option("--last <count>", "at most this many of its newest events", whole(0, looked), 20)
    .addHelpText(
      "after",
      "\nExamples:\n  orchestrator why press-1\n  orchestrator why press-1 --selector site=graz",
    )
    .action(async (name: string, { last, ...flags }: ManyFlags & { last: number }) => {
      if (isForMany(flags)) return await withDoor(run, (door) => whyMany(run, door, name, flags));
      await withNode(run, async (door, target) => {
        const found = await named(run, door, target, name);
        for (const { about, tell } of found) {
          tell();
          tellStory(run, await storyOf(run, door, target, { about, last }));
        }
        if (found.length === 0) await tellGone(run, door, target, { name, last });
      });
    });
}

/** All that bears a name: one name may be that of a runtime and of an agent. */
async function named(run: Run, door: Door, target: Target, name: string): Promise<Found[]> {
  const at = { nodeId: target?.id };
  const found = await Promise.all([
    ifThere(door.ask("getRuntime", { name }, at), (response) => ({
      about: { runtime: name },
      tell: () => answerLine(run, GetRuntimeResponseSchema, response, () => reasonsOf(response.runtime)),
    })),
    ifThere(door.ask("getAgent", { name }, at), (response) => ({
      about: { agent: name },
      tell: () => answerLine(run, GetAgentResponseSchema, response, () => reasonsOfAgent(response.agent)),
    })),
    // The beginning of an id will do, but none that could be a name as well.
    ...(/-[0-9a-f]{4}/.test(name)
      ? [
          ifThere(door.ask("getTask", asked(name), at), (response) => ({
            about: { agent: response.task?.agent ?? "", task: response.task?.id ?? name },
            tell: () => answerLine(run, GetTaskResponseSchema, response, () => reasonsOfTask(response.task)),
          })),
        ]
      : []),
  ]);
  return found.flatMap((one) => one ?? []);
}

/** That there is none is an answer, and so is that an older node does not know such things; anything else is thrown as it was. */
async function ifThere<T>(asking: Promise<T>, then: (response: T) => Found): Promise<Found | undefined> {
  try {
    return then(await asking);
  } catch (thrown) {
    const { kind } = fromConnectError(thrown);
    if (kind !== "not_found" && kind !== "unsupported") throw thrown;
    return undefined;
  }
}

/** What is gone has its story all the same; what never was there has none. */
async function tellGone(
  run: Run,
  door: Door,
  target: Target,
  { name, last }: { name: string; last: number },
): Promise<void> {
  for (const [noun, about] of [
    ["runtime", { runtime: name }],
    ["agent", { agent: name }],
  ] as const) {
    const story = await storyOf(run, door, target, { about, last });
    if (story.length === 0) continue;
    run.terminal.err(`there is no ${noun} ${name} any more\n`);
    return tellStory(run, story);
  }
  throw failure("not_found", `there is no runtime, agent or task ${name}, and its node remembers none`);
}

function tellStory(run: Run, story: readonly Happening[]): void {
  for (const { event, actor } of story) {
    answerLine(run, EventSchema, event, () => eventLine(event, { actor }));
  }
}
