import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Probation, Version } from "./wish.ts";

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
