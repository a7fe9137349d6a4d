import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  ForgetMemoryRequestSchema,
  ListMemoryGroupsResponseSchema,
  SearchMemoryRequestSchema,
  SearchMemoryResponseSchema,
  StoreMemoryRequestSchema,
} from "../../gen/edge/v1/memory_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import { formatBytes, parseWhen } from "../base/quantity.ts";
import { answer } from "./answer.ts";
import { change, type WaitFlag, waiting } from "./change.ts";
import { confirmed } from "./confirm.ts";
import { checked, collect, whole } from "./flags.ts";
import { type LabelText, parseLabel } from "./labels.ts";
import { memoriesInWords } from "./memory-tell.ts";
import type { Run } from "./run.ts";
import { said } from "./said.ts";
import { rows } from "./table.ts";
import { withNode } from "./target.ts";

/** What a memory's text may be: `StoreMemoryRequest.text` says the same. */
const maxTextBytes = 64 << 10;

interface SearchFlags {
  text: string;
  like: string;
  model: string;
  embedding: number[];
  attribute: LabelText[];
  minSimilarity: number;
  limit: number;
}

interface StoreFlags extends WaitFlag {
  model: string;
  embedding: number[];
  attribute: LabelText[];
}

interface ForgetFlags extends WaitFlag {
  attribute: LabelText[];
  /** Wall time in milliseconds. */
  before?: number;
  all: boolean;
  yes: boolean;
}

const embeddingFlag = [
  "--embedding <numbers>",
  "where it is in the space of meanings, as in 0.1,-0.7,0.2",
] as const;
const attributeFlag = "--attribute <key=value>";

/** `orchestrator memory ...` */
export function defineMemory(noun: Command, run: Run): void {
  noun
    .command("groups")
    .description("the groups of memories of a node; each agent has one of its own name")
    .action(() =>
      withNode(run, async (door, target) => {
        const response = await door.ask("listMemoryGroups", {}, { nodeId: target?.id });
        answer(run, ListMemoryGroupsResponseSchema, response, () =>
          rows(
            run.terminal,
            ["GROUP", "MEMORIES", "DIMENSION", "SIZE"],
            response.groups.map(({ name, entries, dimension, sizeBytes }) => [
              ...[name, String(entries), dimension === 0 ? "" : String(dimension), formatBytes(sizeBytes)],
            ]),
            "no memories",
            { numbers: true },
          ),
        );
      }),
    );

  noun
    .command("search <group>")
    .description("the nearest memories of a group, or those that hold a text, or the newest")
    .option("--text <text>", "only those that hold this text, whatever its case", "")
    .option("--like <text>", "nearest to what this means; --model says by which model", "")
    .option("--model <alias>", "a model of the node's gateway, for --like", "")
    .option(...embeddingFlag, checked(parseEmbedding), [])
    .option(attributeFlag, "only with this attribute; may be given often", collect(parseLabel), [])
    .option("--min-similarity <number>", "only as near as this, from -1 to 1", checked(parseSimilarity), 0)
    .option("--limit <count>", "at most this many", whole(1, 1000), 10)
    .addHelpText("after", "\nExample: orchestrator memory search poet --text moon --attribute mood=calm")
    .action((group: string, flags: SearchFlags) =>
      withNode(run, async (door, target) => {
        const { text, like, model, embedding, attribute, minSimilarity, limit } = flags;
        const request = create(SearchMemoryRequestSchema, {
          ...{ group, text, embedding, attributes: attribute, minSimilarity, limit },
          ...{ embedText: like, embedWith: model },
        });
        const response = await door.ask("searchMemory", request, { nodeId: target?.id });
        const isByMeaning = embedding.length > 0 || like !== "";
        answer(run, SearchMemoryResponseSchema, response, () => memoriesInWords(response, { isByMeaning }));
      }),
    );

  waiting(noun.command("store <group> [text]"))
    .description("keep a memory; without a text, what is piped in")
    .option(...embeddingFlag, checked(parseEmbedding), [])
    .option("--model <alias>", "let this model of the node's gateway make its embedding", "")
    .option(attributeFlag, "what it is about; may be given often", collect(parseLabel), [])
    .addHelpText(
      "after",
      '\nExample: orchestrator memory store poet "Ada likes short lines" --attribute about=ada',
    )
    .action(async (group: string, given: string | undefined, flags: StoreFlags) => {
      const { model, embedding, attribute, wait } = flags;
      const text = await said(run, given, maxTextBytes);
      const about = { group, text, embedding, attributes: attribute, embedWith: model };
      const request = create(StoreMemoryRequestSchema, about);
      await withNode(run, async (door, target) => {
        await change(run, door, target, "storeMemory", request, wait, ({ entry }) => `${entry?.id}\n`);
      });
    });

  waiting(noun.command("forget <group> [ids...]"))
    .description("forget memories: by id, or all that meet what is said")
    .option(attributeFlag, "all with this attribute; may be given often", collect(parseLabel), [])
    .option(
      "--before <when>",
      "all from before then: 30d ago, or 2026-11-21",
      checked((text) => parseWhen(text, run.clock.now())),
    )
    .option("--all", "all of the group", false)
    .option("-y, --yes", "do not ask", false)
    .addHelpText("after", "\nExample: orchestrator memory forget poet --before 30d")
    .action((group: string, ids: string[], { attribute, before, all, yes, wait }: ForgetFlags) =>
      withNode(run, async (door, target) => {
        if (ids.length === 0) await confirmed(run, yes, `Forget memories of group ${group}?`);
        const request = create(ForgetMemoryRequestSchema, {
          ...{ group, ids, attributes: attribute, all },
          ...(before !== undefined && { before: timestampFromMs(before) }),
        });
        await change(run, door, target, "forgetMemory", request, wait, ({ forgotten }) => {
          return `${forgotten} ${forgotten === 1 ? "memory is" : "memories are"} forgotten\n`;
        });
      }),
    );
}

function parseEmbedding(text: string): number[] {
  const numbers = text.split(",").map((one) => (one.trim() === "" ? Number.NaN : Number(one)));
  if (numbers.every(Number.isFinite)) return numbers;
  throw failure("invalid", `${evidence(text)} is no list of numbers such as 0.1,-0.7,0.2`);
}

function parseSimilarity(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= -1 && value <= 1) return value;
  throw failure("invalid", `${evidence(text)} is no number from -1 to 1`);
}
