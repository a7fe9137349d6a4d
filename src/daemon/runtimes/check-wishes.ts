import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Failure, type FieldViolation, failure, invalidFields, refusedFields } from "../../base/failure.ts";
import { runtimeLimit } from "../../wire/runtime-spec.ts";
import { type Admission, type Asker, admit, desiredOf, type Wish, wrongSpec } from "../wishes/index.ts";
import { standing } from "./plan-wishes.ts";

/** A runtime as far as others have to do with it. */
type Neighbour = Pick<Wish, "name" | "spec" | "desired">;

/**
 * Checks all wishes of a command before anything is done: each by itself, then each beside all others that there will be.
 * @throws {Failure} invalid, denied: every violation, by its place as in `runtimes[2].image`. exhausted: there would be too many.
 */
export function checkWishes(
  admission: Admission,
  runtimes: readonly RuntimeSpec[],
  { staying, there, asker }: { staying: readonly Wish[]; there: readonly Wish[]; asker?: Asker | undefined },
): void {
  const wrong = runtimes.flatMap((spec, at) => placed(wrongSpec(spec), at));
  if (wrong.length > 0) throw invalidFields(wrong);
  const wished = runtimes.map((spec): Neighbour => {
    const was = standing(there, spec.name)?.desired === "stopped" ? "stopped" : "running";
    return { name: spec.name, spec, desired: desiredOf(spec, was) };
  });
  const all = [...staying, ...wished];
  if (all.length > runtimeLimit) {
    const sentence = `this node would have ${all.length} runtimes, and its limit is ${runtimeLimit}`;
    throw failure("exhausted", `${sentence}: leave some out, or delete some with --prune`);
  }
  const refusals = wished.flatMap((one, at) => {
    const others = all.filter((other) => other !== one);
    const refused = [
      refusalOf(() => admit(admission, one.spec, others, asker)),
      refusalOf(() => refuseTakenPorts(one, others)),
    ];
    return refused.flatMap((why) => (why ? { ...why, violations: placed(why.violations, at) } : []));
  });
  if (refusals.length === 0) return;
  const kind = refusals.every((one) => one.kind === "denied") ? "denied" : "invalid";
  throw refusedFields(
    kind,
    refusals.flatMap(({ violations }) => violations),
  );
}

/** Why something is refused. What has no violations is about the node as a whole, and is thrown at once. */
function refusalOf(check: () => void): Pick<Failure, "kind" | "violations"> | undefined {
  try {
    check();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.violations.length > 0) return thrown;
    throw thrown;
  }
}

/** What is said of `spec`, said of its place in the command. */
function placed(violations: readonly FieldViolation[], at: number): FieldViolation[] {
  const place = `runtimes[${at}]`;
  return violations.map(({ field, message }) => ({
    field: field.replace(/^spec\b/, place),
    // A path stands in the sentence as a word of its own; what somebody wrote stands in quotes.
    message: message.replace(/(?<= )spec\.(?=[a-z])/g, `${place}.`),
  }));
}

/** Ports of the node can be had once. One that is stopped needs none, and may be another's understudy. */
function refuseTakenPorts({ spec, desired }: Neighbour, others: readonly Neighbour[]): void {
  if (desired !== "running") return;
  const violations = spec.ports.flatMap(({ nodePort }, index): FieldViolation[] => {
    const holder = others.find(
      (one) => one.desired === "running" && one.spec.ports.some((port) => port.nodePort === nodePort),
    );
    if (!holder) return [];
    const field = `spec.ports[${index}].node_port`;
    return [{ field, message: `${nodePort} is that of runtime ${holder.name}: choose another` }];
  });
  if (violations.length > 0) throw invalidFields(violations);
}
