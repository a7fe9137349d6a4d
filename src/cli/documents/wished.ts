import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Failure, invalidFields } from "../../base/failure.ts";
import { wrongRuntimeSpec } from "../../wire/runtime-spec.ts";

/** A runtime that a file wishes for. */
export interface Wished {
  spec: RuntimeSpec;
  /** Where a field of it stands, for people: `plant.yaml:14: spec.image`. */
  place: (field: string) => string;
}

/** The same rules as at the node, before anything travels. @throws {Failure} invalid: every violation, with its place. */
export function checkWish({ spec, place }: Wished): void {
  const violations = wrongRuntimeSpec(spec, "spec");
  if (violations.length > 0) throw atPlaces(place, invalidFields(violations));
}

/** A failure whose violations are said with the place where each stands; any other as it is. */
export function atPlaces(place: (field: string) => string, thrown: unknown): unknown {
  if (!(thrown instanceof Failure) || thrown.violations.length === 0) return thrown;
  return invalidFields(thrown.violations.map(({ field, message }) => ({ field: place(field), message })));
}
