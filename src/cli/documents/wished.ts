import { type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Failure, invalidFields } from "../../base/failure.ts";
import { violationsOf } from "../../wire/validation.ts";
import { wrongVnics } from "../../wire/vnics.ts";

/** A runtime that a file wishes for. */
export interface Wished {
  spec: RuntimeSpec;
  /** Where a field of it stands, for people: `plant.yaml:14: spec.image`. */
  place: (field: string) => string;
}

/** The same rules as at the node, before anything travels. @throws {Failure} invalid: every violation, with its place. */
export function checkWish({ spec, place }: Wished): void {
  const violations = [
    ...violationsOf(RuntimeSpecSchema, spec, "spec"),
    ...wrongVnics(spec.vnics, "spec.vnics"),
  ];
  if (violations.length > 0) throw atPlaces(place, invalidFields(violations));
}

/** A failure whose violations are said with the place where each stands; any other as it is. */
export function atPlaces(place: (field: string) => string, thrown: unknown): unknown {
  if (!(thrown instanceof Failure) || thrown.violations.length === 0) return thrown;
  return invalidFields(thrown.violations.map(({ field, message }) => ({ field: place(field), message })));
}
