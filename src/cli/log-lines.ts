import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type LogLine, LogStream } from "../../gen/edge/v1/runtimes_pb.ts";
import { printable } from "./table.ts";

/** Flags that choose between what a program wrote to its two outputs. */
export interface StreamFlags {
  stdout: boolean;
  stderr: boolean;
}

/** The stream that is meant: both when both flags are given, or none. */
export function streamOf({ stdout, stderr }: StreamFlags): LogStream {
  if (stdout === stderr) return LogStream.UNSPECIFIED;
  return stdout ? LogStream.STDOUT : LogStream.STDERR;
}

/** Lines for people, with nothing in them that could steer the terminal. What the engine cut is put together again. */
export function linesForPeople(lines: readonly LogLine[], timestamps: boolean): string {
  let text = "";
  let open: LogStream | undefined;
  for (const { stream, at, cut, text: said } of lines) {
    if (open !== stream) {
      if (open !== undefined) text += "\n";
      if (timestamps && at) text += `${new Date(timestampMs(at)).toISOString()}  `;
    }
    text += printable(said.replace(/\r$/, "").replaceAll("\t", "    "));
    open = cut ? stream : undefined;
    if (!cut) text += "\n";
  }
  return open === undefined ? text : `${text}\n`;
}
