import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Sample } from "../../../gen/edge/v1/node_pb.ts";
import type { RuntimePhase, RuntimeStatsSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { type Failure, failure } from "../../base/failure.ts";
import { nothing } from "../engine/index.ts";
import type { Measured, Stats } from "../usage/index.ts";
import type { Store, Wish } from "../wishes/index.ts";
import type { Loop } from "./loop.ts";
import { type Ground, theContainer } from "./plan.ts";

/** What is needed to know which runtimes run, and to measure them. */
export interface Figures {
  store: Store;
  loop: Pick<Loop, "tended">;
  ground: Ground;
  stats: Stats;
}

/** What each running runtime uses, by its name: for the history. @throws {Failure} unavailable. */
export async function figuresForHistory(figures: Figures, signal: AbortSignal): Promise<Map<string, Sample>> {
  return await figures.stats.take(runningOf(figures, figures.store.list()), signal);
}

/**
 * What runtimes of these names use, or all, for who watches: see the contract.
 * @throws {Failure} not_found, unavailable.
 */
export async function figuresNow(
  figures: Figures,
  names: readonly string[],
  known: { away: Failure | undefined; phaseOf: (wish: Wish) => RuntimePhase },
  signal: AbortSignal,
): Promise<MessageInitShape<typeof RuntimeStatsSchema>[]> {
  const all = figures.store.list();
  const missing = names.filter((name) => !all.some((wish) => wish.name === name));
  if (missing.length > 0) {
    const sentence = `there is no runtime ${missing.join(", ")}`;
    throw failure("not_found", `${sentence}: list the runtimes to see their names`);
  }
  if (known.away) throw known.away;
  const wishes = all.filter(({ name }) => names.length === 0 || names.includes(name));
  const samples = await figures.stats.now(runningOf(figures, wishes), signal);
  return wishes.map((wish) => {
    const { name, restarts, oomKills } = wish;
    const sample = samples.get(name);
    return { name, phase: known.phaseOf(wish), restarts, oomKills, ...(sample && { sample }) };
  });
}

function runningOf({ loop, ground }: Figures, wishes: readonly Wish[]): Measured[] {
  return wishes.flatMap((wish) => {
    const { name, restarts, oomKills, spec } = wish;
    const seen = theContainer(wish, loop.tended(name).seen ?? nothing, ground);
    if (seen?.state !== "running") return [];
    const memoryLimitBytes = Number(spec.resources?.memoryBytes ?? 0n);
    const { id, pid, startedAt } = seen;
    return { name, id, pid, startedAt, memoryLimitBytes, restarts, oomKills };
  });
}
