import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Health, type StartAfter, StartCondition } from "../../../gen/edge/v1/workloads_pb.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";
import type { Wish } from "./wish.ts";

/** What counts of another runtime. */
export interface Other {
  desired: Wish["desired"];
  isRunning: boolean;
  health: Health;
  /** Whether anybody checks its health. */
  isChecked: boolean;
}

/** For whom a start has to wait, and why, as a sentence; undefined when it may be done. */
export function waitsFor(
  after: readonly StartAfter[],
  other: (runtime: string) => Other | undefined,
): string | undefined {
  const missing = after.flatMap(({ runtime, condition }) => {
    const why = whyNotYet(condition, other(runtime));
    return why === undefined ? [] : `for runtime ${runtime}, which ${why}`;
  });
  return missing.length > 0 ? `it waits ${missing.join(", and ")}` : undefined;
}

function whyNotYet(condition: StartCondition, other: Other | undefined): string | undefined {
  if (!other) return "does not exist";
  if (other.desired === "absent") return "is being deleted";
  if (other.desired === "stopped") return "is stopped";
  if (!other.isRunning) return "does not run yet";
  if (condition !== StartCondition.HEALTHY || other.health === Health.HEALTHY) return undefined;
  if (!other.isChecked) return "runs and has no health check, so that nobody knows whether it is healthy";
  return other.health === Health.UNHEALTHY ? "is unhealthy" : "is not known to be healthy yet";
}

/**
 * Refuses a spec that would wait for itself, directly or by way of others.
 * @throws {Failure} invalid, with the circle.
 */
export function checkOrder(
  { name, after }: Pick<RuntimeSpec, "name" | "after">,
  others: readonly Pick<Wish, "name" | "spec">[],
): void {
  const edges = new Map(others.map((one) => [one.name, one.spec.after.map(({ runtime }) => runtime)]));
  const violations = after.flatMap(({ runtime }, index): FieldViolation[] => {
    const way = wayTo(name, runtime, edges);
    if (!way) return [];
    const circle = [name, ...way].join(" after ");
    return [{ field: `spec.after[${index}].runtime`, message: `would wait for itself: ${circle}` }];
  });
  if (violations.length > 0) throw invalidFields(violations);
}

/** The way from one runtime to another along what each waits for, both included. Each is looked at once. */
function wayTo(
  goal: string,
  from: string,
  edges: ReadonlyMap<string, readonly string[]>,
): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [from];
  const seen = new Set(queue);
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    if (at === goal) {
      const way = [goal];
      for (let step = cameFrom.get(goal); step !== undefined; step = cameFrom.get(step)) way.unshift(step);
      return way;
    }
    for (const next of edges.get(at) ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      cameFrom.set(next, at);
      queue.push(next);
    }
  }
  return undefined;
}
