import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  ListDeadLettersResponseSchema,
  ListSubscriptionsResponseSchema,
  MessageUrgency,
  PublishMessageRequestSchema,
} from "../../gen/edge/v1/topics_pb.ts";
import { failure } from "../base/failure.ts";
import { answer } from "./answer.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import { collect, oneOf, whole } from "./flags.ts";
import { type LabelText, parseLabel } from "./labels.ts";
import { readPayload } from "./payload.ts";
import type { Run } from "./run.ts";
import { withNode } from "./target.ts";
import { defineTopicRead } from "./topic-read.ts";
import { letterInWords, tableOfSubscriptions, urgencies } from "./topic-tell.ts";

/** What a message carries: `PublishMessageRequest.payload` says the same. */
const maxPayloadBytes = 256 << 10;

interface PublishFlags extends WaitFlag {
  file?: string;
  attribute: LabelText[];
  urgency: MessageUrgency;
  correlationId: string;
}

/** `orchestrator topic ...` */
export function defineTopic(noun: Command, run: Run): void {
  waiting(noun.command("publish <topic> [text]"))
    .description("publish a message, which may say nothing")
    .option("--file <path>", "what it says, from a file, or - for what is piped in")
    .option("--attribute <key=value>", "what filters look at; may be given often", collect(parseLabel), [])
    .option("--urgency <urgency>", "low, normal, high or critical", oneOf(urgencies), MessageUrgency.NORMAL)
    .option("--correlation-id <id>", "what ties it to others", "")
    .addHelpText("after", '\nExample: orchestrator topic publish plant.oven.alarm "too hot" --urgency high')
    .action(async (topic: string, text: string | undefined, flags: PublishFlags) => {
      const { attribute, urgency, correlationId, wait } = flags;
      const payload = await payloadOf(run, text, flags.file);
      const request = create(PublishMessageRequestSchema, {
        ...{ topic, payload, attributes: attribute, urgency, correlationId },
      });
      await withNode(run, async (door, target) => {
        await change(run, door, target, "publishMessage", request, wait, ({ sequence, subscribers }) => {
          return `message ${sequence}, to ${subscribers} subscriber${subscribers === 1 ? "" : "s"}\n`;
        });
      });
    });

  defineTopicRead(noun, run);

  noun
    .command("subscriptions")
    .description("who subscribes to what, and how far behind he is")
    .action(() =>
      withNode(run, async (door, target) => {
        const response = await door.ask("listSubscriptions", {}, { nodeId: target?.id });
        answer(run, ListSubscriptionsResponseSchema, response, () =>
          tableOfSubscriptions(response.subscriptions, run.terminal),
        );
      }),
    );

  noun
    .command("dead-letters")
    .description("messages that no member of a group took, newest first")
    .option("--group <group>", "only of this group", "")
    .option("--limit <count>", "at most this many", whole(1, 1000), 20)
    .action(({ group, limit }: { group: string; limit: number }) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("listDeadLetters", { group, limit }, { nodeId: target?.id });
        answer(run, ListDeadLettersResponseSchema, response, () =>
          response.letters.length === 0 ? "no dead letters\n" : response.letters.map(letterInWords).join(""),
        );
      }),
    );
}

async function payloadOf(run: Run, text: string | undefined, file: string | undefined): Promise<Uint8Array> {
  if (file === undefined) return Buffer.from(text ?? "");
  if (text !== undefined) throw failure("invalid", "it says one thing: give a text or --file, not both");
  if (file === "-") return await run.terminal.input(maxPayloadBytes, run.signal);
  return await readPayload(file, { cwd: run.cwd, maxBytes: maxPayloadBytes });
}
