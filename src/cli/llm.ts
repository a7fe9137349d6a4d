import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  GetLlmUsageResponseSchema,
  ListModelsResponseSchema,
  LlmApi,
  type LlmModel,
  type LlmUsage,
} from "../../gen/edge/v1/gateway_pb.ts";
import { parseWhen } from "../base/quantity.ts";
import { answer, word } from "./answer.ts";
import type { Run } from "./run.ts";
import { rows } from "./table.ts";
import { withNode } from "./target.ts";
import type { Terminal } from "./terminal.ts";

/** `orchestrator llm ...` */
export function defineLlm(noun: Command, run: Run): void {
  noun
    .command("models")
    .description("the language models of a node's llm_providers")
    .addHelpText("after", "\nExample: orchestrator llm models\n")
    .action(() =>
      withNode(run, async (door, target) => {
        const response = await door.ask("listModels", {}, { nodeId: target?.id });
        answer(run, ListModelsResponseSchema, response, () => tableOfModels(response.models, run.terminal));
      }),
    );

  noun
    .command("usage")
    .description("what agents used of them, by day and agent, newest day first")
    .option("--agent <agent>", "only of this agent")
    .option("--since <when>", "only of days from then on, as in 7d or 2026-11-01")
    .addHelpText("after", "\nExample: orchestrator llm usage --agent poet --since 7d\n")
    .action(({ agent = "", since }: { agent?: string; since?: string }) =>
      withNode(run, async (door, target) => {
        const from = since === undefined ? {} : { since: timestampFromMs(parseWhen(since, run.clock.now())) };
        const response = await door.ask("getLlmUsage", { agent, ...from }, { nodeId: target?.id });
        answer(run, GetLlmUsageResponseSchema, response, () => tableOfUsage(response.usage, run.terminal));
      }),
    );
}

function tableOfModels(models: readonly LlmModel[], terminal: Terminal): string {
  return rows(
    terminal,
    ["ALIAS", "PROVIDER", "API", "MODEL", "URL", "CREDENTIAL", "INPUT COST", "OUTPUT COST"],
    models.map(({ alias, provider, api, model, url, credential, inputCostMicros, outputCostMicros }) => [
      ...[alias, provider, word(LlmApi, api), model, url, credential],
      ...[costInWords(inputCostMicros), costInWords(outputCostMicros)],
    ]),
    "no language models: the setting llm_providers lists them",
  );
}

function tableOfUsage(usage: readonly LlmUsage[], terminal: Terminal): string {
  return rows(
    terminal,
    ["DAY", "AGENT", "ALIAS", "REQUESTS", "FAILED", "INPUT", "OUTPUT", "COST"],
    usage.map(({ day, agent, alias, requests, failed, inputTokens, outputTokens, costMicros }) => [
      ...[day, agent, alias, String(requests), String(failed)],
      ...[String(inputTokens), String(outputTokens), costInWords(costMicros)],
    ]),
    "no usage",
  );
}

/** Millionths as a decimal number, of whatever money the node's owner thinks in. */
function costInWords(micros: bigint): string {
  const digits = String(micros).padStart(7, "0");
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`.replace(/\.?0+$/, "") || "0";
}
