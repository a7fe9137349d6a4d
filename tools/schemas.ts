/**
 * Writes the JSON Schemas of the documents, docs/schemas/*.json, out of the contract: its types, rules and comments.
 * `node tools/schemas.ts` brings them up to date; a test fails when they are not.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DescMessage } from "@bufbuild/protobuf";
import { AgentSpecSchema } from "../gen/edge/v1/agents_pb.ts";
import { RuntimeSpecSchema } from "../gen/edge/v1/runtimes_pb.ts";
import { apiVersion, type Kind } from "../src/cli/documents/document.ts";
import { commentsOf } from "./schemas/comments.ts";
import { definitionsOf, refTo } from "./schemas/messages.ts";
import type { Schema } from "./schemas/values.ts";

const root = new URL("..", import.meta.url).pathname;
export const schemasFolder = join(root, "docs/schemas");

const specs: Readonly<Record<Kind, DescMessage>> = { Runtime: RuntimeSpecSchema, Agent: AgentSpecSchema };

/** The text of each schema, by its file's name. */
export function schemaFiles(): ReadonlyMap<string, string> {
  const comments = commentsOf(root);
  return new Map(
    Object.entries(specs).map(([kind, spec]) => {
      const schema = documentSchema(kind, spec, comments);
      return [`${kind.toLowerCase()}.json`, `${JSON.stringify(schema, null, 2)}\n`];
    }),
  );
}

function documentSchema(kind: string, spec: DescMessage, comments: ReadonlyMap<string, string>): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: `${kind} of Orchestrator Agent`,
    type: "object",
    required: ["kind", "spec"],
    properties: {
      apiVersion: {
        const: apiVersion,
        description: "The version of the contract that this document is written for.",
      },
      kind: { const: kind, description: "What this document describes." },
      spec: { $ref: refTo(spec) },
    },
    additionalProperties: false,
    $defs: definitionsOf(spec, comments),
  };
}

if (import.meta.main) {
  mkdirSync(schemasFolder, { recursive: true });
  for (const [name, text] of schemaFiles()) writeFileSync(join(schemasFolder, name), text);
}
