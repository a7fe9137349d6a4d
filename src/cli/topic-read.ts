import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  MessageUrgency,
  ReadMessagesRequestSchema,
  type TopicFilter,
  TopicFilterSchema,
  type TopicMessage,
  TopicMessageSchema,
} from "../../gen/edge/v1/topics_pb.ts";
import { answerLine } from "./answer.ts";
import type { Door } from "./door.ts";
import { collect, oneOf, whole } from "./flags.ts";
import { type LabelText, parseLabel } from "./labels.ts";
import { isLoss } from "./patience.ts";
import type { Run } from "./run.ts";
import { type Target, withNode } from "./target.ts";
import { topicMessageLine, urgencies } from "./topic-tell.ts";

/** How long one question waits for a message, in milliseconds: shorter than any patience on the way. */
const waitMs = 20_000;

/** Between two tries to reach what went away, in milliseconds. */
const pauseMs = 1_000;

interface ReadFlags {
  last: number;
  after?: number;
  follow: boolean;
  from: string;
  attribute: LabelText[];
  urgency: MessageUrgency;
  correlationId: string;
}

/** `orchestrator topic read` */
export function defineTopicRead(noun: Command, run: Run): void {
  noun
    .command("read [topics...]")
    .description("what was published: the newest messages, or those after a place; --follow waits for more")
    .option("--last <count>", "the newest this many", whole(0, 1_000), 20)
    .option("--after <sequence>", "all that are kept after this place", whole(0, 999_999_999))
    .option("-f, --follow", "wait for what comes, until Ctrl-C", false)
    .option("--from <publisher>", "only of this publisher, as in agent/poet", "")
    .option(
      "--attribute <key=value>",
      "only with this attribute; may be given often",
      collect(parseLabel),
      [],
    )
    .option(
      "--urgency <urgency>",
      "only as urgent as this, or more",
      oneOf(urgencies),
      MessageUrgency.UNSPECIFIED,
    )
    .option("--correlation-id <id>", "only with this correlation id", "")
    .addHelpText("after", "\nExample: orchestrator topic read 'plant.*.alarm' 'node.>' --follow")
    .action((topics: string[], flags: ReadFlags) => {
      const { from, attribute, urgency, correlationId } = flags;
      const about = { topics, publisher: from, attributes: attribute, urgency, correlationId };
      const filter = create(TopicFilterSchema, about);
      return withNode(run, async (door, target) => {
        const reader = new Reader(door, target, filter, BigInt(flags.after ?? 0));
        const print = (messages: readonly TopicMessage[]) => {
          for (const one of messages) answerLine(run, TopicMessageSchema, one, () => topicMessageLine(one));
        };
        let newest: TopicMessage[] = [];
        for await (const page of reader.toTheEnd()) {
          if (flags.after !== undefined) print(page);
          else newest = flags.last === 0 ? [] : [...newest, ...page].slice(-flags.last);
        }
        if (reader.missed) run.terminal.err(`what was published before message ${reader.missed} is gone\n`);
        print(newest);
        if (flags.follow) await follow(run, reader, print);
      });
    });
}

/** Reads page by page, and knows where it is. */
class Reader {
  readonly #door: Door;
  readonly #target: Target;
  readonly #filter: TopicFilter;
  readonly #from: bigint;
  #place: bigint;
  /** The first message that is kept, when earlier ones were asked for. */
  missed: bigint | undefined;

  constructor(door: Door, target: Target, filter: TopicFilter, from: bigint) {
    this.#door = door;
    this.#target = target;
    this.#filter = filter;
    this.#from = from;
    this.#place = from;
  }

  async next(forMs: number): Promise<TopicMessage[]> {
    const request = create(ReadMessagesRequestSchema, {
      ...{ filter: this.#filter, afterSequence: this.#place, limit: 1_000, waitMs: forMs },
    });
    const response = await this.#door.ask("readMessages", request, { nodeId: this.#target?.id });
    if (this.#from > 0n && response.firstSequence > this.#from + 1n) this.missed ??= response.firstSequence;
    this.#place = response.lastSequence;
    return response.messages;
  }

  /** All pages that are there now. */
  async *toTheEnd(): AsyncGenerator<TopicMessage[]> {
    for (;;) {
      const page = await this.next(0);
      if (page.length === 0) return;
      yield page;
    }
  }
}

async function follow(
  { signal, terminal, clock }: Run,
  reader: Reader,
  print: (messages: readonly TopicMessage[]) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      print(await reader.next(waitMs));
    } catch (thrown) {
      if (signal.aborted) return;
      if (!isLoss(thrown)) throw thrown;
      terminal.err("the node cannot be reached, waiting for it ...\n");
      await clock.sleep(pauseMs, signal).catch(() => {});
    }
  }
}
