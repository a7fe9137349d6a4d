import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { formatDuration } from "../base/quantity.ts";
import type { Run } from "./run.ts";

/**
 * Prints an answer: for programs one JSON object, the message as protobuf's own JSON with every field; for people what `tell`
 * makes of it.
 */
export function answer<D extends DescMessage>(
  { flags, terminal }: Run,
  schema: D,
  message: MessageShape<D>,
  tell: () => string,
): void {
  if (flags.json)
    terminal.out(`${JSON.stringify(toJson(schema, message, { alwaysEmitImplicit: true }), null, 2)}\n`);
  else terminal.out(tell());
}

/** Prints one of many answers: for programs JSON on one line. */
export function answerLine<D extends DescMessage>(
  { flags, terminal }: Run,
  schema: D,
  message: MessageShape<D>,
  tell: () => string,
): void {
  if (flags.json) terminal.out(`${JSON.stringify(toJson(schema, message, { alwaysEmitImplicit: true }))}\n`);
  else terminal.out(tell());
}

/** How long ago, for people: `3m 5s`. Empty when it never was. */
export function ago(at: Timestamp | undefined, now: number): string {
  return at ? formatDuration(now - timestampMs(at)) : "";
}

/** A moment for people: UTC to the second. Empty when it never was. */
export function moment(at: Timestamp | undefined): string {
  return at ? `${new Date(timestampMs(at)).toISOString().slice(0, 19).replace("T", " ")}Z` : "";
}

/** A value of an enum in words: `NOT_FOUND` is `not found`. */
export function word(names: Readonly<Record<string, number>>, value: number): string {
  const name = Object.keys(names).find((one) => names[one] === value);
  return name === undefined || name === "UNSPECIFIED" ? "unknown" : name.toLowerCase().replaceAll("_", " ");
}
