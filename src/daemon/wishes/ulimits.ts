import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { FieldViolation } from "../../base/failure.ts";
import type { Rlimit } from "../engine/index.ts";
import { profileOf } from "./profile.ts";

/** A limit as the engine takes it; -1 is unlimited. */
export interface Ulimit {
  Name: string;
  Soft: number;
  Hard: number;
}

/** The limits that a runtime's container asks for: those of its profile that this engine may raise, and all that its spec names. */
export function ulimitsOf(spec: RuntimeSpec, refused: ReadonlySet<Rlimit>): Ulimit[] {
  const profiles = Object.entries(profileOf(spec).rlimits)
    .filter(([name]) => !isNamed(spec, name) && !refused.has(name as Rlimit)) // A key of the profile's record.
    .map(([Name, value]) => ({ Name, Soft: value, Hard: value }));
  const named = spec.ulimits.map(({ name, soft, hard }) => ({
    ...{ Name: name, Soft: Number(soft), Hard: Number(hard) },
  }));
  return [...profiles, ...named];
}

/** Whether a spec names a limit: then it does not run without it. */
export function isNamed({ ulimits }: RuntimeSpec, limit: string): boolean {
  return ulimits.some(({ name }) => name === limit);
}

/** What the rules of the contract cannot say of limits. */
export function wrongUlimits({ ulimits }: RuntimeSpec): FieldViolation[] {
  return ulimits.flatMap(({ soft, hard }, index) => {
    const isOver = hard !== -1n && (soft === -1n || soft > hard);
    if (!isOver) return [];
    const [shown, bound] = [soft === -1n ? "none" : String(soft), String(hard)];
    const message = `${bound} is below the limit in force, which is ${shown}: raise it, or give -1 for none`;
    return [{ field: `spec.ulimits[${index}].hard`, message }];
  });
}
