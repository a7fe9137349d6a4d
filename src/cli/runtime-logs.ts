import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type GetRuntimeLogsResponse, GetRuntimeLogsResponseSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import { parseWhen } from "../base/quantity.ts";
import { answer, moment } from "./answer.ts";
import { checked, whole } from "./flags.ts";
import { linesForPeople, streamOf } from "./log-lines.ts";
import type { Run } from "./run.ts";
import { withNode } from "./target.ts";

interface LogFlags {
  tail: number;
  /** Wall time in milliseconds. */
  since?: number;
  until?: number;
  grep: string;
  stdout: boolean;
  stderr: boolean;
  timestamps: boolean;
}

/** `orchestrator runtime logs` */
export function defineLogs(noun: Command, run: Run): void {
  const when = checked((text) => parseWhen(text, run.clock.now()));
  noun
    .command("logs <runtime>")
    .description("the newest lines that a runtime wrote, oldest first")
    .option("--tail <count>", "at most this many", whole(1, 10_000), 100)
    .option("--since <when>", "only from then on: 10m ago, or 2026-11-21T10:00:00Z", when)
    .option("--until <when>", "only before then", when)
    .option("--grep <text>", "only lines that contain this text", "")
    .option("--stdout", "only standard output", false)
    .option("--stderr", "only standard error", false)
    .option("--timestamps", "print when each line was written", false)
    .action((name: string, flags: LogFlags) =>
      withNode(run, async (door, target) => {
        const { tail, since, until, grep, timestamps } = flags;
        const request = {
          ...{ name, grep, tailLines: tail, stream: streamOf(flags), maxBytes: 0 },
          ...(since !== undefined && { since: timestampFromMs(since) }),
          ...(until !== undefined && { until: timestampFromMs(until) }),
        };
        const response = await door.ask("getRuntimeLogs", request, { nodeId: target?.id });
        answer(run, GetRuntimeLogsResponseSchema, response, () => linesForPeople(response.lines, timestamps));
        if (!run.flags.json) run.terminal.err(remark(response, tail));
      }),
    );
}

/** What a reader would otherwise take for the whole. */
function remark(
  { lines, leftOut, recreated, containerCreatedAt }: GetRuntimeLogsResponse,
  tail: number,
): string {
  const begins = `its container was made anew at ${moment(containerCreatedAt)}, and the log before that is gone\n`;
  if (leftOut) return lines.length < tail ? "older lines were left out: the answer would be too large\n" : "";
  return `${lines.length === 0 ? "no lines\n" : ""}${recreated ? begins : ""}`;
}
