import { type AgentSpec, AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Failure, type FieldViolation, invalidFields } from "../../base/failure.ts";
import { wrongAgentNetwork } from "../../wire/agent-network.ts";
import { fromConnectError } from "../../wire/failures.ts";
import { violationsOf } from "../../wire/validation.ts";
import { wrongVnics } from "../../wire/vnics.ts";

/** One thing that a file wishes for. */
export interface Wished<Spec> {
  spec: Spec;
  /** Where a field of it stands, for people: `plant.yaml:14: spec.image`. */
  place: Place;
}

export type Place = (field: string) => string;

/** All that files wish for. */
export interface Wishes {
  runtimes: Wished<RuntimeSpec>[];
  agents: Wished<AgentSpec>[];
}

/** The same rules as at the node, before anything travels. @throws {Failure} invalid: every violation, with its place. */
export function checkRuntime({ spec, place }: Wished<RuntimeSpec>): void {
  refuse(place, [...violationsOf(RuntimeSpecSchema, spec, "spec"), ...wrongVnics(spec.vnics, "spec.vnics")]);
}

/** Likewise for an agent. */
export function checkAgent({ spec, place }: Wished<AgentSpec>): void {
  const violations = violationsOf(AgentSpecSchema, spec, "spec");
  refuse(place, [...violations, ...wrongAgentNetwork(spec.network, "spec.network")]);
}

function refuse(place: Place, violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw atPlaces(place, invalidFields(violations));
}

/** A failure whose violations are said with the place where each stands; any other as it is. */
export function atPlaces(place: Place, thrown: unknown): unknown {
  if (!(thrown instanceof Failure) || thrown.violations.length === 0) return thrown;
  return invalidFields(thrown.violations.map(({ field, message }) => ({ field: place(field), message })));
}

/**
 * Asks a node something about wishes; what it finds wrong with one is told with the place where that stands, which `placeOf` finds
 * by the field as the node calls it.
 */
export async function toldByPlace<T>(
  placeOf: (field: string) => string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const told = fromConnectError(thrown);
    if (told.violations.length === 0) throw thrown;
    const violations = told.violations.map(({ field, message }) => ({
      field: placeOf(field) ?? field,
      message,
    }));
    throw new Failure(told.kind, told.message, { violations });
  }
}
