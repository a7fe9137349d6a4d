import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type LogLine, LogStream } from "../../../gen/edge/v1/runtimes_pb.ts";
import {
  type GetTaskLogsRequest,
  type GetTaskLogsResponse,
  GetTaskLogsResponseSchema,
} from "../../../gen/edge/v1/tasks_pb.ts";
import type { CellLog } from "../sandbox/index.ts";

/** Of what a task wrote, so much is kept when its container is gone: an answer holds it, and 1,000 tasks do not fill a disk. */
const keptBytes = 256 << 10;
/** What a line takes beside its text, in bytes. */
const aroundBytes = 40;
/** What the contract says for a request that does not say. */
const usualLines = 100;

/** What is kept of a task's log, with what another of its cells wrote behind it: the newest lines that have room. */
export function appended(kept: Uint8Array, { lines, leftOut }: CellLog): Uint8Array {
  const before = read(kept);
  const newest = newestOf([...before.lines, ...lines], { bytes: keptBytes });
  const message = { lines: newest.lines, leftOut: before.leftOut || leftOut || newest.leftOut };
  return toBinary(GetTaskLogsResponseSchema, create(GetTaskLogsResponseSchema, message));
}

/** What is asked for of a task's log: what is kept, and what its present cell wrote. */
export function answerOf(
  kept: Uint8Array,
  now: CellLog,
  { tailLines, grep, stream }: GetTaskLogsRequest,
): GetTaskLogsResponse {
  const before = read(kept);
  const wanted = [...before.lines, ...now.lines].filter(
    (line) => (stream === LogStream.UNSPECIFIED || line.stream === stream) && line.text.includes(grep),
  );
  const newest = newestOf(wanted, { bytes: 3 * keptBytes, count: tailLines || usualLines });
  const leftOut = before.leftOut || now.leftOut || newest.leftOut;
  return create(GetTaskLogsResponseSchema, { lines: newest.lines, leftOut });
}

function read(kept: Uint8Array): GetTaskLogsResponse {
  return fromBinary(GetTaskLogsResponseSchema, kept); // No bytes are a message without anything.
}

function newestOf(
  lines: readonly LogLine[],
  { bytes, count = Number.POSITIVE_INFINITY }: { bytes: number; count?: number },
): CellLog {
  let restBytes = bytes;
  let first = lines.length;
  while (first > 0 && lines.length - first < count) {
    restBytes -= Buffer.byteLength(lines[first - 1]?.text ?? "") + aroundBytes;
    if (restBytes < 0) break;
    first--;
  }
  return { lines: lines.slice(first), leftOut: first > 0 };
}
