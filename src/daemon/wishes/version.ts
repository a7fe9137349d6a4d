import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Wish } from "./store.ts";

/** What can be gone back to: all of a wish that an update changes. */
export type Version = Pick<
  Wish,
  "spec" | "specHash" | "madeHash" | "desired" | "imageId" | "imageDigest" | "profileVersion"
>;

/** An update that may still be rolled back. */
export interface Probation {
  /** The command that asked for it. */
  commandId: string;
  /** Whether it got another container, which must show that it works; else engine and netmon must take what was changed. */
  isSwap: boolean;
  /** How long the new version may take until it is healthy, in milliseconds. */
  limitMs: number;
  previous: Version;
}

/** A probation as its column holds it; empty for none. */
export function probationText(probation: Probation | undefined): string {
  if (!probation) return "";
  const { previous } = probation;
  const spec = Buffer.from(toBinary(RuntimeSpecSchema, previous.spec)).toString("base64");
  return JSON.stringify({ ...probation, previous: { ...previous, spec } });
}

export function toProbation(text: string): Probation | undefined {
  if (text === "") return undefined;
  type Kept = Omit<Probation, "previous"> & { previous: Omit<Version, "spec"> & { spec: string } };
  const { previous, ...probation } = JSON.parse(text) as Kept; // `probationText` wrote it.
  const spec = fromBinary(RuntimeSpecSchema, Buffer.from(previous.spec, "base64"));
  return { ...probation, previous: { ...previous, spec } };
}
