import { Failure, refusedFields } from "../../base/failure.ts";

/**
 * Does both, one after the other, although the first finds something wrong: all violations are told at once, as denied when nothing
 * but a policy stands in the way.
 */
export async function both<A, B>(
  one: () => Promise<A> | A,
  other: () => Promise<B> | B,
): Promise<readonly [A, B]> {
  const first = await tried(one);
  const second = await tried(other);
  if ("done" in first && "done" in second) return [first.done, second.done];
  const refused = [first, second].flatMap((outcome) => ("refused" in outcome ? [outcome.refused] : []));
  const kind = refused.every((why) => why.kind === "denied") ? "denied" : "invalid";
  throw refusedFields(
    kind,
    refused.flatMap(({ violations }) => violations),
  );
}

/** What has no violations is about the node as a whole, and is thrown at once. */
async function tried<T>(work: () => Promise<T> | T): Promise<{ done: T } | { refused: Failure }> {
  try {
    return { done: await work() };
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.violations.length > 0) return { refused: thrown };
    throw thrown;
  }
}
