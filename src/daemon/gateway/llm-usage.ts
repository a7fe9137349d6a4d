import { create } from "@bufbuild/protobuf";
import { type LlmUsage, LlmUsageSchema } from "../../../gen/edge/v1/gateway_pb.ts";
import type { Schema, Sql } from "../../base/sql.ts";
import type { Model } from "./llm-models.ts";

export const schema: Schema = {
  room: "gateway",
  migrations: [
    `CREATE TABLE llm_usage (
       day TEXT NOT NULL,
       agent TEXT NOT NULL,
       alias TEXT NOT NULL,
       requests INTEGER NOT NULL DEFAULT 0,
       failed INTEGER NOT NULL DEFAULT 0,
       input_tokens INTEGER NOT NULL DEFAULT 0,
       output_tokens INTEGER NOT NULL DEFAULT 0,
       cost_micros INTEGER NOT NULL DEFAULT 0,
       PRIMARY KEY (day, agent, alias)
     ) STRICT;
     CREATE TABLE llm_task_usage (task TEXT PRIMARY KEY, day TEXT NOT NULL, tokens INTEGER NOT NULL) STRICT;
     CREATE INDEX llm_task_usage_by_day ON llm_task_usage (day);`,
  ],
};

/** Tokens, as a provider counted them, or as they were estimated. */
export interface Tokens {
  input: number;
  output: number;
}

/** Who used what. */
export interface User {
  agent: string;
  /** Empty when it is no task's. */
  taskId: string;
}

/** So long usage is kept, and a task's longer than any task lives, in days. */
const keptDays = { usage: 400, task: 7 };
const dayMs = 86_400_000;

/** A day of UTC, as in `2026-11-21`. */
export function dayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}

/** What tokens cost, in millionths. */
export function costOf({ cost }: Pick<Model, "cost">, { input, output }: Tokens): number {
  return Math.ceil((cost.input * input + cost.output * output) / 1_000_000);
}

/** What agents used of language models. On disk when a function returns. */
export class Usage {
  readonly #sql: Sql;
  readonly #now: () => number;

  constructor({ sql, now }: { sql: Sql; now: () => number }) {
    this.#sql = sql;
    this.#now = now;
  }

  /** Notes a request that was answered, or was not: tokens are paid for either way. */
  add(
    { agent, taskId }: User,
    model: Pick<Model, "alias" | "cost">,
    tokens: Tokens,
    isAnswered: boolean,
  ): void {
    const day = dayOf(this.#now());
    this.#sql.atomically(() => {
      this.#sql.run(
        `INSERT INTO llm_usage (day, agent, alias, requests, failed, input_tokens, output_tokens, cost_micros)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (day, agent, alias) DO UPDATE SET
             requests = requests + excluded.requests, failed = failed + excluded.failed,
             input_tokens = input_tokens + excluded.input_tokens,
             output_tokens = output_tokens + excluded.output_tokens,
             cost_micros = cost_micros + excluded.cost_micros`,
        ...[day, agent, model.alias, isAnswered ? 1 : 0, isAnswered ? 0 : 1],
        ...[tokens.input, tokens.output, costOf(model, tokens)],
      );
      if (taskId !== "" && tokens.input + tokens.output > 0) this.#addToTask(taskId, day, tokens);
    });
  }

  /** Tokens of an agent on this day, and of a task in all. */
  used({ agent, taskId }: User): { day: number; task: number } {
    const day = this.#sql.get(
      "SELECT COALESCE(SUM(input_tokens + output_tokens), 0) AS tokens FROM llm_usage WHERE day = ? AND agent = ?",
      ...[dayOf(this.#now()), agent],
    );
    const task = this.#sql.get("SELECT tokens FROM llm_task_usage WHERE task = ?", taskId);
    return { day: Number(day?.tokens ?? 0), task: Number(task?.tokens ?? 0) };
  }

  /** Newest day first, then by agent and alias. */
  list({ agent, sinceMs }: { agent: string; sinceMs: number }): LlmUsage[] {
    const rows = this.#sql.all(
      "SELECT * FROM llm_usage WHERE day >= ? AND (? = '' OR agent = ?) ORDER BY day DESC, agent, alias LIMIT 5000",
      ...[dayOf(sinceMs), agent, agent],
    );
    return rows.map((row) =>
      create(LlmUsageSchema, {
        ...{ day: String(row.day), agent: String(row.agent), alias: String(row.alias) },
        ...{ requests: BigInt(Number(row.requests)), failed: BigInt(Number(row.failed)) },
        ...{ inputTokens: BigInt(Number(row.input_tokens)), outputTokens: BigInt(Number(row.output_tokens)) },
        costMicros: BigInt(Number(row.cost_micros)),
      }),
    );
  }

  #addToTask(taskId: string, day: string, { input, output }: Tokens): void {
    const { changes } = this.#sql.run(
      "UPDATE llm_task_usage SET tokens = tokens + ?, day = ? WHERE task = ?",
      ...[input + output, day, taskId],
    );
    if (changes > 0) return;
    this.#sql.run(
      "INSERT INTO llm_task_usage (task, day, tokens) VALUES (?, ?, ?)",
      taskId,
      day,
      input + output,
    );
    this.#sql.run("DELETE FROM llm_task_usage WHERE day < ?", dayOf(this.#now() - keptDays.task * dayMs));
    this.#sql.run("DELETE FROM llm_usage WHERE day < ?", dayOf(this.#now() - keptDays.usage * dayMs));
  }
}
